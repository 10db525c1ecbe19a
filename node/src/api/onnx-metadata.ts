/**
 * An ONNX model with `metadata_props` added: texts by key that every reader of the format shows.
 *
 * A message in protocol buffers may be followed by more of its fields, so that nothing of the model itself is touched.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3: ModelProto.metadata_props = 14, StringStringEntryProto
 */
export function withOnnxMetadata(
  model: Uint8Array,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries = Object.entries(metadata).map(([key, value]) =>
    field(14, Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))])),
  );
  return new Uint8Array(Buffer.concat([model, ...entries]));
}

/** A length-delimited field. */
function field(number: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

/** A natural number below 2^31, seven bits a byte, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Uint8Array.from([...bytes, rest]);
}
