import type { Status } from '@consilium/node';

/** Redraws a block of lines in place on a terminal; elsewhere prints it now and then, so that a log stays readable. */
export class Screen {
  #lines = 0;
  #lastPrinted = 0;

  show(lines: readonly string[]): void {
    if (process.stdout.isTTY) {
      process.stdout.write(
        `${this.#lines > 0 ? `\u001b[${this.#lines}A\u001b[J` : ''}${lines.join('\n')}\n`,
      );
      this.#lines = lines.length;
    } else if (performance.now() - this.#lastPrinted > 15_000) {
      this.#lastPrinted = performance.now();
      console.log(lines.join('\n'));
    }
  }

  /** Prints a line that stays. */
  say(line: string): void {
    this.#lines = 0;
    console.log(line);
  }
}

/** One line for each site: its round as a bar, what it is at, and the first digits of its model. */
export function siteLines(statuses: ReadonlyMap<string, Status | null>, rounds: number): string[] {
  return [...statuses].map(([name, status]) => {
    if (status === null) return `  ${name.padEnd(12)} ${'·'.repeat(rounds)}  –`;
    const own = status.members.find(({ site }) => site === status.site.id)?.round ?? 0;
    const reached = status.site.role === 'trainer' ? own : status.rounds.settled;
    const bar = '█'.repeat(reached) + '·'.repeat(Math.max(0, rounds - reached));
    const links = status.members.filter(({ connected }) => connected === true).length;
    return `  ${name.padEnd(12)} ${bar}  ${activityOf(status).padEnd(20)} ${links} peers  model ${status.state?.digest.slice(0, 12) ?? '–'}`;
  });
}

function activityOf({ activity }: Status): string {
  if (activity === null) return '';
  return activity.total > 0 ? `${activity.kind} ${activity.done}/${activity.total}` : activity.kind;
}

/** Columns padded to their widest cell, the first to the left and the others to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('   '),
  );
}
