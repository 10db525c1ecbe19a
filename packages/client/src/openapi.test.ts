import { expect, test } from 'vitest';
import { operations, roles } from './contract.ts';
import { openApi } from './openapi.ts';

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<
    Record<
      string,
      {
        readonly get: {
          readonly operationId: string;
          readonly description: string;
          readonly parameters: readonly {
            readonly name: string;
            readonly in: string;
            readonly required: boolean;
            readonly schema: object;
          }[];
          readonly responses: Readonly<Record<string, { readonly content?: object }>>;
        };
      }
    >
  >;
  readonly components: Readonly<Record<string, Readonly<Record<string, object>>>>;
}

const document = openApi() as unknown as Document;

test('is of version 3.1, the same at every call, and plain JSON', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(openApi()).toEqual(document);
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
});

test('has every operation once, with its roles', () => {
  const named = Object.values(document.paths).map(({ get }) => get.operationId);
  expect(named.sort()).toEqual(Object.keys(operations).sort());
  for (const [name, { path, roles: allowed }] of Object.entries(operations)) {
    expect(document.paths[path]?.get.operationId).toBe(name);
    expect(allowed.every((role) => roles.includes(role))).toBe(true);
    expect(document.paths[path]?.get.description).toBe(`For: ${allowed.join(', ')}.`);
  }
});

test('declares every parameter of a path, as required, and no other there', () => {
  for (const [path, { get }] of Object.entries(document.paths)) {
    const inPath = get.parameters.filter((parameter) => parameter.in === 'path');
    const braces = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(inPath.map(({ name }) => name).sort()).toEqual(braces.sort());
    expect(inPath.every(({ required }) => required)).toBe(true);
  }
});

test('every reference leads somewhere, and none outside of the document', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)];
  expect(references.length).toBeGreaterThan(50);
  for (const [, reference = ''] of references) {
    const [, kind = '', name = ''] = /^#\/components\/(\w+)\/(\w+)$/.exec(reference) ?? [];
    expect(document.components[kind], reference).toHaveProperty(name);
  }
  expect(document.components['schemas']?.['Problem']).not.toHaveProperty('$ref');
});

test('lets fields pass that it does not know, so that a later node is still understood', () => {
  expect(JSON.stringify(document)).not.toContain('"additionalProperties":false');
});
