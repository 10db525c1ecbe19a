/** The bytes `from` to `to - 1`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The part of `size` bytes that a `Range` header asks for; null for the whole, which is also what a header that asks for several parts, or for something
 * else than bytes, gets; `unsatisfiable` when no byte of it is there.
 *
 * @see RFC 9110 §14.2
 */
export function byteRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | null {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return null;
  if (first === '') {
    const from = Math.max(0, size - Number(last));
    return from < size ? { from, to: size } : 'unsatisfiable';
  }
  const from = Number(first);
  const to = last === '' ? size : Math.min(size, Number(last) + 1);
  if (last !== '' && Number(last) < from) return null;
  return from < to ? { from, to } : 'unsatisfiable';
}
