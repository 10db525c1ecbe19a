import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Status } from './views.ts';
import type { WatchedLog } from './witnessing/witnessing-view.ts';

/** Prometheus figures of a running node. Nothing of a patient, no loss, no count of scans. */
export function createMetrics(status: () => Status): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, read: (status: Status) => number): void => {
    new Gauge({
      name: `consilium_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read(status()));
      },
    });
  };
  gauge(
    'rounds_settled',
    'Last round that every trainer who keeps up has contributed to',
    ({ rounds }) => rounds.settled,
  );
  gauge('rounds_total', 'Rounds of the study', ({ rounds }) => rounds.count);
  gauge(
    'peers_connected',
    'Members of the study that are connected now',
    ({ members }) => members.filter(({ connected }) => connected === true).length,
  );
  gauge('members', 'Members of the study', ({ members }) => members.length);
  gauge('findings', 'Broken rules that the fold has found', ({ findings }) => findings.length);
  gauge(
    'local_findings',
    'Rounds that this site abandoned since its last update, because values were not finite',
    ({ localFindings }) => localFindings.length,
  );
  gauge('state_complete', '1 when every payload that a record names is here', ({ state }) =>
    state?.complete === true ? 1 : 0,
  );
  gauge('training', '1 while the site trains', ({ activity }) =>
    activity?.kind === 'training' ? 1 : 0,
  );
  gauge('differential_privacy', '0 when updates are not differentially private', ({ privacy }) =>
    privacy.profile === 'off' ? 0 : 1,
  );
  gauge(
    'privacy_epsilon_cap',
    'What one site may spend; 0 where nothing is promised',
    ({ privacy }) => (privacy.policy === null ? 0 : privacy.policy.epsilon),
  );
  gauge(
    'privacy_epsilon_spent',
    'What this site has spent of its privacy budget, reservations included',
    (now) => now.members.find(({ key }) => key === now.site.id)?.spending?.epsilon ?? 0,
  );
  const ofLogs = (name: string, help: string, read: (log: WatchedLog) => number): void => {
    new Gauge({
      name: `consilium_log_${name}`,
      help,
      labelNames: ['site', 'name'],
      registers: [registry],
      collect() {
        this.reset();
        for (const log of status().witnesses.logs) {
          this.set({ site: log.site, name: log.name }, read(log));
        }
      },
    });
  };
  ofLogs('size', 'Records of each log that are here', ({ size }) => size);
  ofLogs('witnessed_size', 'Records that enough members cosigned', (log) => log.witnessedSize);
  ofLogs('witnessed_lag', 'Records here that are not witnessed yet', ({ size, witnessedSize }) =>
    Math.max(0, size - witnessedSize),
  );
  gauge(
    'split_views',
    'Sites that signed two different logs, as this node knows',
    ({ witnesses }) => witnesses.splitViews.length,
  );
  return registry;
}
