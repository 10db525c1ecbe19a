import {
  ANNOUNCE_TOPIC,
  BLOB_PROTOCOL,
  DEFAULT_LIMITS,
  DEFAULT_TIMING,
  PROTOCOL_LIMITS,
  SYNC_PROTOCOL,
  WITNESS_PROTOCOL,
} from '@consilium/network';
import { MAX_ENVELOPE_BYTES } from '@consilium/records';
import { layoutLimits } from '@consilium/weights';
import { expect, test } from 'vitest';
import { evaluated, limitInSource, statedLimits } from './limits.ts';
import { readPage } from './page.ts';

const limits = statedLimits();

test.each(limits)('$page: $what is $stated', ({ stated, constant, file }) => {
  expect(stated).toBe(limitInSource(file, constant));
});

test('reading constants from sources gives what the packages export', () => {
  const network = 'packages/network/src/limits.ts';
  for (const [name, value] of Object.entries(PROTOCOL_LIMITS)) {
    expect(limitInSource(network, name), name).toBe(value);
  }
  expect(limitInSource('packages/records/src/envelope.ts', 'MAX_ENVELOPE_BYTES')).toBe(
    MAX_ENVELOPE_BYTES,
  );
  expect(limitInSource('packages/weights/src/layout.ts', 'values')).toBe(layoutLimits.values);
});

test('every limit of the network protocols is stated', () => {
  const stated = new Set(limits.map(({ constant }) => constant));
  const all = [...Object.keys(PROTOCOL_LIMITS), ...Object.keys(DEFAULT_LIMITS)].filter(
    (name) => !name.endsWith('Rate'),
  );
  expect(all.filter((name) => !stated.has(name))).toEqual([]);
});

test('every timing that a site may choose is stated with its default', () => {
  const text = readPage('packages/docs/spec/sync.md').text;
  for (const [name, value] of Object.entries(DEFAULT_TIMING)) {
    expect(text).toContain(`| \`${name}\` | ${value.toLocaleString('en')} |`);
  }
});

test('every rate is stated with its default', () => {
  const text = readPage('packages/docs/spec/sync.md').text;
  for (const [name, value] of Object.entries(DEFAULT_LIMITS)) {
    if (typeof value === 'number') continue;
    const { perSecond, burst } = value;
    expect(text).toContain(
      `| \`${name}\` | ${perSecond.toLocaleString('en')} | ${burst.toLocaleString('en')} |`,
    );
  }
});

test.each([
  ['announce', ANNOUNCE_TOPIC],
  ['sync', SYNC_PROTOCOL],
  ['blob', BLOB_PROTOCOL],
  ['witness', WITNESS_PROTOCOL],
])('the page %s names its protocol', (page, id) => {
  expect(readPage(`packages/docs/spec/${page}.md`).text).toContain(`\`${id}\``);
});

test.each([
  ['256 * 1024', 262_144],
  ['2 ** 32 - 1', 4_294_967_295],
  ['30 * 86_400', 2_592_000],
  ['0.5', 0.5],
])('%s is a number', (text, value) => {
  expect(evaluated(text)).toBe(value);
});
