import type { EvaluationBody, SiteId, UpdateBody, VerifiedRecord } from '@consilium/records';
import { payloadBytes } from '@consilium/weights';
import type { SiteChain } from './chain.ts';
import type { Finding, FindingCode } from './finding.ts';
import type { Founding } from './manifest.ts';

/** An update that every rule on records lets pass; its payload has still to decode. */
export interface AcceptedUpdate {
  readonly site: SiteId;
  readonly index: number;
  readonly round: number;
  /** SHA-256 (hex) of the payload and its size. */
  readonly payload: string;
  readonly payloadBytes: number;
  /** Digest (hex) of the state that the site says it trained from. */
  readonly base: string;
  readonly weight: number;
}

/** What a site says about a state, on patients of its own. */
export interface RecordedEvaluation {
  readonly site: SiteId;
  readonly index: number;
  readonly round: number;
  /** Digest (hex) of the weights that were evaluated. */
  readonly state: string;
  readonly patients: number;
  readonly metrics: EvaluationBody['metrics'];
}

/** What follows from the records alone, payloads apart. */
export interface Decisions {
  readonly updates: readonly AcceptedUpdate[];
  readonly evaluations: readonly RecordedEvaluation[];
  readonly findings: readonly Finding[];
}

/**
 * Applies the study's rules to every member's log. Pure; members are taken in the roster's order and records in their log's, so equal knowledge
 * gives equal decisions.
 */
export function decide(
  founding: Founding,
  study: Uint8Array,
  chains: ReadonlyMap<SiteId, SiteChain>,
): Decisions {
  const decisions = {
    updates: [] as AcceptedUpdate[],
    evaluations: [] as RecordedEvaluation[],
    findings: [] as Finding[],
  };
  const { recordLimit } = founding;
  for (const { site } of founding.manifest.roster) {
    const { records, finding } = chains.get(site)?.prefix() ?? { records: [], finding: null };
    let lastRound = 0;
    for (const verified of records
      .slice(0, recordLimit)
      .filter(({ record }) => isOf(record.study, study))) {
      const { record } = verified;
      if (!record.known) {
        decisions.findings.push({
          code: 'UNKNOWN_KIND',
          site,
          index: record.index,
          message: 'a record of a kind that this version does not know',
        });
      } else if (record.kind === 'update') {
        const fault = updateFault(founding, site, record.body, lastRound);
        if (fault === null) decisions.updates.push(accepted(founding, verified, record.body));
        else decisions.findings.push({ ...fault, site, index: record.index });
        lastRound = Math.max(lastRound, fault === null ? record.body.round : 0);
      } else if (record.kind === 'evaluation') {
        const fault = evaluationFault(founding, site);
        if (fault === null) decisions.evaluations.push(evaluated(verified, record.body));
        else decisions.findings.push({ ...fault, site, index: record.index });
      }
    }
    if (records.length > recordLimit) {
      const message = `records beyond the first ${recordLimit} do not count`;
      decisions.findings.push({ code: 'LOG_TOO_LONG', site, index: recordLimit, message });
    }
    if (finding !== null) decisions.findings.push(finding);
  }
  return decisions;
}

type Fault = { code: FindingCode; message: string };

function updateFault(
  founding: Founding,
  site: SiteId,
  body: UpdateBody,
  lastRound: number,
): Fault | null {
  const { manifest, layout, weightOf } = founding;
  if (!weightOf.has(site))
    return { code: 'NOT_A_TRAINER', message: 'only trainers contribute updates' };
  if (body.round > manifest.rounds.count) {
    return {
      code: 'ROUND_OUT_OF_RANGE',
      message: `round ${body.round} of ${manifest.rounds.count}`,
    };
  }
  if (body.round <= lastRound) {
    return { code: 'ROUND_REPEATED', message: `round ${body.round} after round ${lastRound}` };
  }
  if (!([8, 16, 32] as const).some((bits) => payloadBytes(layout, bits) === body.payload.bytes)) {
    return {
      code: 'PAYLOAD_SIZE',
      message: `${body.payload.bytes} bytes fit no width of the layout`,
    };
  }
  if (body.privacy.profile !== manifest.privacy.profile) {
    return {
      code: 'PRIVACY_PROFILE',
      message: `profile ${body.privacy.profile}, the manifest says ${manifest.privacy.profile}`,
    };
  }
  return null;
}

function evaluationFault(founding: Founding, site: SiteId): Fault | null {
  const role = founding.manifest.roster.find((member) => member.site === site)?.role;
  return role === 'observer'
    ? { code: 'NOT_AN_EVALUATOR', message: 'observers hold no patients' }
    : null;
}

function accepted(
  founding: Founding,
  { record }: VerifiedRecord,
  body: UpdateBody,
): AcceptedUpdate {
  return {
    site: record.author,
    index: record.index,
    round: body.round,
    payload: hex(body.payload.digest),
    payloadBytes: body.payload.bytes,
    base: hex(body.base),
    weight: founding.weightOf.get(record.author) as number,
  };
}

function evaluated({ record }: VerifiedRecord, body: EvaluationBody): RecordedEvaluation {
  return {
    site: record.author,
    index: record.index,
    round: body.round,
    state: hex(body.state),
    patients: body.patients,
    metrics: body.metrics,
  };
}

function isOf(recordStudy: Uint8Array | null, study: Uint8Array): boolean {
  return recordStudy !== null && hex(recordStudy) === hex(study);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
