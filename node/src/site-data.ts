import { resolve } from 'node:path';
import { openPngCohort } from '@consilium/imaging';
import type { Config } from './config.ts';
import { NodeError } from './error.ts';
import type { Logger } from './logger.ts';
import { leastPublishedPatients } from './recorded-evaluation.ts';
import type { SiteFolder } from './site-folder.ts';

/**
 * The site's cohorts with paths that start at the site's folder. A folder or a patient that is not there is told now, and not hours later when the first
 * job needs it.
 */
export async function checkedData(config: Config, folder: SiteFolder): Promise<Config['data']> {
  const checked = async (cohort: Config['data']['train']): Promise<Config['data']['train']> => {
    if (cohort?.kind !== 'png') return cohort;
    const path = resolve(folder.root, cohort.folder);
    const index = await openPngCohort(path);
    const unknown = cohort.patients.find((patient) => !index.has(patient));
    if (unknown !== undefined) {
      throw new NodeError(
        'DATA',
        `${path} has no patient ${unknown}`,
        'compare data: in consilium.yaml with slice_index.csv in that folder',
      );
    }
    return { ...cohort, folder: path };
  };
  return { train: await checked(config.data.train), test: await checked(config.data.test) };
}

/** The held-out cohort, or null when it is too small for its figures to be told to others. */
export function publishable(test: Config['data']['test'], logger: Logger): Config['data']['test'] {
  if (test === null) return null;
  const patients = test.kind === 'png' ? test.patients.length : test.patients;
  if (patients >= leastPublishedPatients) return test;
  logger.warn(
    { least: leastPublishedPatients },
    'too few held-out patients: this site evaluates nothing for the others',
  );
  return null;
}
