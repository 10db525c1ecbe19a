import { z } from 'zod';
import { digestHeader, nonceHeader, signatureHeader } from './answer-signature.ts';
import { problemAnswer, stateEvent } from './answers.ts';
import { type Operation, operations } from './contract.ts';

/** A value of JSON. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/** The contract as an OpenAPI 3.1 document, from the same schemas that the client checks answers with. The same text at every call. */
export function openApi(): JsonObject {
  const schemas = new Map<string, JsonObject>();
  const paths = Object.entries<Operation>(operations).map(
    ([name, operation]) =>
      [operation.path, { get: operationOf(name, operation, schemas) }] as const,
  );
  // These two have names of their own, under which they are put.
  schemaOf(stateEvent, schemas);
  schemaOf(problemAnswer, schemas);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Consilium: ask a node',
      version: '1.0.0',
      description:
        'What the model of a study is, where it comes from and how well it does at each site. Read-only. Research use only: not a medical device.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ token: [] }, {}],
    paths: Object.fromEntries(paths),
    components: {
      schemas: Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description:
            'from `consilium token create`; not needed on loopback while a node has none',
        },
      },
      headers: {
        Signature: {
          description: `the site’s signature over the answer; see the specification of queries, and send ${nonceHeader} for a fresh one`,
          schema: { type: 'string' },
        },
        Digest: { description: 'RFC 9530: SHA-256 of the whole', schema: { type: 'string' } },
      },
    },
  };
}

function operationOf(
  name: string,
  operation: Operation,
  schemas: Map<string, JsonObject>,
): JsonObject {
  return {
    operationId: name,
    summary: operation.summary,
    description: `For: ${operation.roles.join(', ')}.`,
    parameters: [
      ...parametersOf(operation, schemas),
      {
        name: nonceHeader,
        in: 'header',
        required: false,
        schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{16,64}$' },
      },
    ],
    responses: {
      '200': {
        description: 'the answer, signed',
        headers: {
          [signatureHeader]: { $ref: '#/components/headers/Signature' },
          [digestHeader]: { $ref: '#/components/headers/Digest' },
        },
        content: contentOf(name, operation.answer, schemas),
      },
      ...(name === 'weights' ? partsOfAFile : {}),
      default: {
        description: 'a problem, RFC 9457',
        content: { 'application/problem+json': { schema: reference('Problem') } },
      },
    },
  };
}

const partsOfAFile: JsonObject = {
  '206': { description: 'the part that Range asks for' },
  '304': { description: 'what If-None-Match names is still the same' },
  '416': { description: 'there is no such part' },
};

function parametersOf(
  { path, parameters }: Operation,
  schemas: Map<string, JsonObject>,
): JsonObject[] {
  const { properties = {}, required = [] } = schemaOf(parameters, schemas) as {
    readonly properties?: JsonObject;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: path.includes(`{${name}}`) ? 'path' : 'query',
    required: required.includes(name),
    schema,
  }));
}

function contentOf(
  name: string,
  answer: Operation['answer'],
  schemas: Map<string, JsonObject>,
): JsonObject {
  if ('parse' in answer) {
    const title = `${name[0]?.toUpperCase()}${name.slice(1)}Answer`;
    schemas.set(title, schemaOf(answer, schemas));
    return { 'application/json': { schema: reference(title) } };
  }
  // Bytes have no schema.
  const schemaOfType = (type: string): JsonObject =>
    type.startsWith('text/') ? { schema: { type: 'string' } } : {};
  return Object.fromEntries(answer.map((type) => [type, schemaOfType(type)]));
}

/**
 * The JSON Schema of what may be *given*: unknown fields are let pass, and defaults need not be there. What has a name of its own goes into `schemas`.
 */
function schemaOf(schema: z.ZodType, schemas: Map<string, JsonObject>): JsonObject {
  const text = JSON.stringify(z.toJSONSchema(schema, { io: 'input' }));
  const placed = text.replaceAll('"#/$defs/', '"#/components/schemas/');
  const { $schema, $defs = {}, id, ...own } = JSON.parse(placed) as JsonSchema;
  for (const [name, { id: _, ...definition }] of Object.entries($defs)) {
    schemas.set(name, definition);
  }
  return own as JsonObject;
}

/** A schema as zod writes it; `id` is how it names it, which OpenAPI does not know. */
interface JsonSchema {
  readonly $schema?: string;
  readonly $defs?: Readonly<Record<string, JsonObject>>;
  readonly id?: string;
  readonly [key: string]: unknown;
}

function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}
