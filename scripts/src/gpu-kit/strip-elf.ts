/**
 * A 64-bit little-endian ELF program or library without what only linkers and debuggers read: everything behind the last byte that
 * is loaded, the section table included. It runs as before; exported symbols are in the loaded part and stay.
 *
 * @throws {RangeError} when `file` is no such file.
 * @see System V Application Binary Interface, Object Files: ELF Header, Program Header
 */
export function stripElf(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46 || view.getUint16(4) !== 0x0201) {
    throw new RangeError('not a 64-bit little-endian ELF file');
  }
  const table = { at: Number(view.getBigUint64(32, true)), entry: 0, count: 0 };
  table.entry = view.getUint16(54, true);
  table.count = view.getUint16(56, true);
  let end = table.at + table.entry * table.count;
  for (let i = 0; i < table.count; i++) {
    const at = table.at + i * table.entry;
    const offset = view.getBigUint64(at + 8, true);
    end = Math.max(end, Number(offset + view.getBigUint64(at + 32, true)));
  }
  if (end > file.length) throw new RangeError(`the ELF file ends before its byte ${end}`);
  const stripped = file.slice(0, end);
  const header = new DataView(stripped.buffer);
  header.setBigUint64(40, 0n, true); // where the section table lies
  header.setUint16(58, 0, true); // the size of its entries
  header.setUint16(60, 0, true); // how many
  header.setUint16(62, 0, true); // which one holds the names
  return stripped;
}
