import { AuditStudy } from './audit-fixture.ts';
import { type AuditStudyInit, seeded } from './study-manifest-fixture.ts';

/**
 * For tests: an honest study on a bad day. Sites meet at random; for a while the network is in two parts; records arrive without their payloads, and rounds go on without them; trainings
 * are killed after they were reserved. In the end everybody has heard of everything.
 */
export async function eventfulStudy(init: AuditStudyInit): Promise<AuditStudy> {
  const study = await new AuditStudy(init);
  const chance = chances(`events of ${init.seed}`);
  const trainers = init.patients.length;
  const last = init.patients.map(() => 0);
  const isDone = (): boolean => last.every((round) => round >= init.rounds);
  for (let tick = 0; !isDone(); tick++) {
    const isCut = tick % 40 >= 12 && tick % 40 < 30;
    for (const [from] of study.keys.entries()) {
      for (const [to] of study.keys.entries()) {
        const meets = from !== to && chance() < 0.25 && !(isCut && from % 2 !== to % 2);
        if (meets) await study.sync(from, to, () => chance() < 0.7);
      }
    }
    const site = Math.floor(chance() * study.keys.length);
    if (site >= trainers) {
      await study.evaluate(site, Math.max(...last));
      continue;
    }
    const state = await study.state(site);
    const known = state.members.slice(0, trainers).map(({ lastRound }) => lastRound);
    const frontier = known.toSorted((a, b) => b - a)[1] ?? 0;
    const round = Math.max((last[site] as number) + 1, Math.min(frontier, init.rounds));
    const isReady = known.filter((each) => each >= round - 1).length >= 2 || tick > 400;
    if (round > init.rounds || !isReady) continue;
    if (chance() < 0.15) study.reserve(site, round, state);
    else {
      await study.train(site, round);
      last[site] = round;
    }
  }
  await study.syncAll();
  for (const [site] of study.keys.entries()) await study.evaluate(site, init.rounds);
  return study;
}

function chances(seed: string): () => number {
  const random = seeded(seed);
  return () => {
    const bytes = random(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32;
  };
}
