import { emptyRoot, type LogStore, leafHash, TreeHasher } from '@consilium/log';
import { decodeEnvelope, pae, type SiteId } from '@consilium/records';

/** The Merkle trees over the logs that are here, as they were at every size. In memory, 64 bytes a record. */
export interface LogTrees {
  /** The root over the first `size` records of a site's log; `undefined` when the log is not here that far. */
  rootAt(site: SiteId, size: number): Promise<Uint8Array | undefined>;
  /** The hashes of these records' leaves. */
  leafHashes(site: SiteId, size: number): Promise<readonly Uint8Array[] | undefined>;
}

interface Grown {
  readonly hasher: TreeHasher;
  readonly leaves: Uint8Array[];
  /** By size, from that of the empty tree on. */
  readonly roots: Uint8Array[];
}

/** Trees that grow with `log`; records are read when somebody asks, each once. */
export function createLogTrees(log: Pick<LogStore, 'head' | 'read'>): LogTrees {
  const trees = new Map<SiteId, Grown>();
  const growing = new Map<SiteId, Promise<void>>();

  async function grow(site: SiteId, { hasher, leaves, roots }: Grown): Promise<void> {
    while (leaves.length < log.head(site).size) {
      const from = leaves.length;
      const entries = await log.read(site, from, { maxEntries: 256, maxBytes: 4 * 2 ** 20 });
      if (entries.length === 0) return;
      for (const entry of entries) {
        // What is in the log was verified when it came.
        const { payloadType, payload } = decodeEnvelope(entry);
        leaves.push(leafHash(pae(payloadType, payload)));
        hasher.append(leaves.at(-1) as Uint8Array);
        roots.push(hasher.root());
      }
    }
  }

  /** The tree at `size`; one reader of each log at a time. */
  async function grownTo(site: SiteId, size: number): Promise<Grown | undefined> {
    if (size > log.head(site).size) return undefined;
    const tree = trees.get(site) ?? { hasher: new TreeHasher(), leaves: [], roots: [emptyRoot()] };
    trees.set(site, tree);
    while (tree.leaves.length < size) {
      const work = growing.get(site) ?? grow(site, tree).finally(() => growing.delete(site));
      growing.set(site, work);
      await work;
      if (log.head(site).size < size) return undefined;
    }
    return tree;
  }

  return {
    rootAt: async (site, size) => (await grownTo(site, size))?.roots[size],
    leafHashes: async (site, size) => (await grownTo(site, size))?.leaves.slice(0, size),
  };
}
