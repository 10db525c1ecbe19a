/** Lower-case hexadecimal, 32 bytes a line. */
export function hexLines(bytes: Uint8Array): string[] {
  return hex(bytes).match(/.{1,64}/g) ?? [''];
}

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** A list of fields of bytes, each with its name: the name at the left, the bytes wrapped at its right. */
export function fieldLines(
  fields: readonly (readonly [name: string, bytes: Uint8Array])[],
): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields
    .flatMap(([name, bytes]) =>
      hexLines(bytes).map((line, i) => `${(i === 0 ? name : '').padEnd(width)}  ${line}`),
    )
    .join('\n');
}

/** A value as JSON for reading: byte strings as `h'…'`, as in CBOR's diagnostic notation. */
export function diagnostic(value: unknown, indent = ''): string {
  const inner = `${indent}  `;
  if (value instanceof Uint8Array) return `h'${hex(value)}'`;
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object')) return JSON.stringify(value);
    return `[\n${value.map((item) => inner + diagnostic(item, inner)).join(',\n')}\n${indent}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(
      ([key, item]) => `${inner}${JSON.stringify(key)}: ${diagnostic(item, inner)}`,
    );
    return fields.length === 0 ? '{}' : `{\n${fields.join(',\n')}\n${indent}}`;
  }
  return JSON.stringify(value);
}
