import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Status } from './views.ts';

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
  gauge('state_complete', '1 when every payload that a record names is here', ({ state }) =>
    state?.complete === true ? 1 : 0,
  );
  gauge('training', '1 while the site trains', ({ activity }) =>
    activity?.kind === 'training' ? 1 : 0,
  );
  gauge('differential_privacy', '0 when updates are not differentially private', ({ privacy }) =>
    privacy.profile === 'off' ? 0 : 1,
  );
  return registry;
}
