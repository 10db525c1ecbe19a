import { formatDigest, signAnswer } from '@consilium/client';
import { SampleStudy, sha256 } from './sample-study.ts';

/** One answer of the sample study's first site, and what the site signs about it. */
export function answerSignatureExample(): string {
  const key = new SampleStudy().key(1);
  const body = '{"findings":[]}';
  const claim = {
    target: '/v1/findings',
    status: 200,
    nonce: 'AQEBAQEBAQEBAQEB',
    contentType: 'application/json',
    digest: new Uint8Array(sha256(body)),
  };
  return [
    `GET ${claim.target} HTTP/1.1`,
    `consilium-nonce: ${claim.nonce}`,
    '',
    'what is signed',
    'consilium/answer/1',
    'GET',
    claim.target,
    String(claim.status),
    claim.nonce,
    claim.contentType,
    Buffer.from(claim.digest).toString('hex'),
    '',
    'HTTP/1.1 200 OK',
    `content-type: ${claim.contentType}`,
    `repr-digest: ${formatDigest(claim.digest)}`,
    `consilium-signature: ${signAnswer(key, claim)}`,
    '',
    body,
  ].join('\n');
}
