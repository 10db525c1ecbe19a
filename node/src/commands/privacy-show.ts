import { epsilon } from '@consilium/privacy';
import { privacyLines } from '../privacy-view.ts';
import { statusNow } from '../status-now.ts';
import type { Status } from '../views.ts';
import type { Command } from './command.ts';

/** One trainer's spending, by both accountants. */
interface SiteSpending {
  readonly name: string;
  readonly site: string;
  readonly steps: number;
  readonly epsilonRdp: number;
  readonly epsilonPld: number;
  readonly unusedReservations: number;
  readonly isExhausted: boolean;
}

export const privacyShow: Command = {
  usage: 'privacy show',
  summary: 'show what each site has spent of its patients’ privacy, recomputed from the logs',
  options: { json: { type: 'boolean' } },
  positionals: 0,
  async run({ folder, options, print }) {
    const { status } = await statusNow(folder);
    const sites = spendingOf(status);
    if (options['json'] === true) {
      print(JSON.stringify({ privacy: status.privacy, sites }, null, 2));
      return;
    }
    for (const line of privacyLines(status.privacy)) print(line);
    for (const line of table(sites, status)) print(line);
  },
};

/** The tighter accountant takes a second or two: the node's own process does not wait for it, this one may. */
function spendingOf({ privacy: { policy }, members }: Status): SiteSpending[] {
  if (policy === null) return [];
  const { sampleRate, noiseMultiplier, delta } = policy;
  return members.flatMap(({ name, site, spending }) => {
    if (spending === null) return [];
    const { steps } = spending;
    const history = steps === 0 ? [] : [{ sampleRate, noiseMultiplier, steps }];
    return {
      name,
      site,
      steps,
      epsilonRdp: spending.epsilon,
      epsilonPld: epsilon(history, delta, 'pld'),
      unusedReservations: spending.unused,
      isExhausted: spending.isExhausted,
    };
  });
}

function* table(sites: readonly SiteSpending[], { privacy }: Status): Iterable<string> {
  if (privacy.policy === null) return;
  const { epsilon: cap } = privacy.policy;
  yield '';
  yield 'site                  steps   ε (RDP, the gate)   ε (PLD)   of the cap   reservations without an update';
  for (const { name, steps, epsilonRdp, epsilonPld, unusedReservations, isExhausted } of sites) {
    const share = `${Math.round((100 * epsilonRdp) / cap)} %${isExhausted ? ' SPENT' : ''}`;
    yield [
      name.padEnd(20),
      String(steps).padStart(6),
      epsilonRdp.toFixed(3).padStart(19),
      epsilonPld.toFixed(3).padStart(9),
      share.padStart(12),
      String(unusedReservations).padStart(32),
    ].join(' ');
  }
}
