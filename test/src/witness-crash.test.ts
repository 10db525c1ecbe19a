import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const child = join(import.meta.dirname, 'witness-crash-child.ts');
/** After how many writes each life ends, and with which story the author goes on after it. */
const lives = [
  [3, 'a'],
  [4, 'b'],
  [1, 'a'],
  [4, 'b'],
] as const;

test('a witness that is killed between writing and answering has given nothing away, and goes on with the story that it wrote', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-witness-'));
  const cosigned = new Map<number, Set<string>>();
  let wrote: { story: string; size: number } | null = null;
  let denied = 0;
  try {
    for (const [kill, first] of lives) {
      const lines = await live(folder, kill, first);
      // The last thing in each life is a write that nobody heard of.
      expect(lines.at(-1)).toBe('put');
      let asked = { story: '', size: 0 };
      for (const line of lines) {
        const [word = '', story = '', size = ''] = line.split(' ');
        const place = { story, size: Number(size) };
        if (word === 'asked') asked = place;
        if (word === 'put') wrote = asked;
        if (word === 'cosigned') {
          cosigned.set(place.size, (cosigned.get(place.size) ?? new Set()).add(storyAt(place)));
        }
        const isOther =
          wrote !== null && storyAt(place) !== storyAt({ ...place, story: wrote.story });
        if (word === 'split-view' && isOther) denied += 1;
        if (isOther && place.size <= (wrote?.size ?? 0)) expect(word).not.toBe('cosigned');
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  expect(cosigned.size).toBeGreaterThan(3);
  // One story at each size: the stories part after two leaves.
  for (const [size, stories] of cosigned) expect([size, stories.size]).toEqual([size, 1]);
  const beyond = [...cosigned].filter(([size]) => size > 2).flatMap(([, stories]) => [...stories]);
  expect(new Set(beyond).size).toBe(1);
  expect(denied).toBeGreaterThan(0);
}, 60_000);

/** Both stories are one up to their second leaf. */
function storyAt({ story, size }: { story: string; size: number }): string {
  return size <= 2 ? 'both' : story;
}

/** One life; what it said. */
async function live(folder: string, kill: number, first: string): Promise<string[]> {
  const running = spawn(
    process.execPath,
    ['--conditions=@consilium/source', child, folder, String(kill), first],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  let errors = '';
  running.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  running.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  const [code, signal] = await once(running, 'close');
  expect({ code, signal, errors }).toEqual({ code: null, signal: 'SIGKILL', errors: '' });
  return output.trim().split('\n');
}
