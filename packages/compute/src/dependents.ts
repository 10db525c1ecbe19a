import type { GraphNode } from './graph.ts';

/** The nodes in `sources`, and all that depend on one of them. */
export function dependents(
  nodes: readonly GraphNode[],
  sources: ReadonlySet<number>,
): ReadonlySet<number> {
  const found = new Set(sources);
  for (const [index, node] of nodes.entries()) {
    const inputs: readonly (number | undefined)[] = node.inputs;
    if (inputs.some((input) => input !== undefined && found.has(input))) found.add(index);
  }
  return found;
}

/** The places of all inputs. */
export function inputsOf(nodes: readonly GraphNode[]): ReadonlySet<number> {
  return new Set([...nodes.keys()].filter((index) => nodes[index]?.op === 'input'));
}
