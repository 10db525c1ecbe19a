import { Reader, Writer } from 'protobufjs/minimal.js';

/** One field of a protobuf message: its number, its wire type, and its content without tag and length. */
export interface Field {
  readonly number: number;
  readonly wireType: number;
  readonly bytes: Uint8Array;
}

/** The fields of a message in their order, so that what is not looked at can be written back as it was. */
export function fieldsOf(message: Uint8Array): Field[] {
  const reader = Reader.create(message);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [number, wireType] = [tag >>> 3, tag & 7];
    if (wireType === 2) {
      fields.push({ number, wireType, bytes: reader.bytes() });
      continue;
    }
    const start = reader.pos;
    reader.skipType(wireType);
    fields.push({ number, wireType, bytes: message.subarray(start, reader.pos) });
  }
  return fields;
}

export function messageOf(fields: readonly Field[]): Uint8Array {
  return Buffer.concat(
    fields.flatMap(({ number, wireType, bytes }) => [
      varint((number << 3) | wireType),
      ...(wireType === 2 ? [varint(bytes.length)] : []),
      bytes,
    ]),
  );
}

/** A field of text or of a message of its own. */
export function field(number: number, content: string | Uint8Array): Field {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return { number, wireType: 2, bytes };
}

/** A field of a whole number from 0. */
export function numberField(number: number, value: number): Field {
  return { number, wireType: 0, bytes: varint(value) };
}

export function textsOf(fields: readonly Field[], number: number): string[] {
  return fields
    .filter((each) => each.number === number)
    .map(({ bytes }) => new TextDecoder().decode(bytes));
}

/** Whole numbers, each in a field of its own. */
export function numbersOf(fields: readonly Field[], number: number): number[] {
  return fields
    .filter((each) => each.number === number)
    .map(({ bytes }) => Reader.create(bytes).uint32());
}

function varint(value: number): Uint8Array {
  return Writer.create().uint32(value).finish();
}
