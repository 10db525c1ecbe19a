/** Numbers in [0, 2^32), always the same for one seed. */
export type Draw = (below: number) => number;

/** A generator of the mulberry32 family: for choosing tests, never for secrets. */
export function seededDraw(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

// Heads that decoders stumble over: huge lengths, indefinite ones, nesting, tags, half floats, bad text.
const HOSTILE_PIECES: readonly Uint8Array[] = [
  Uint8Array.of(0x9b, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0x5a, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0x5f, 0x9f, 0xbf, 0xff),
  new Uint8Array(64).fill(0x81),
  new Uint8Array(2000).fill(0x9f),
  Uint8Array.of(0xd8, 0x2a, 0x58, 0x25, 0x00),
  Uint8Array.of(0xf9, 0x7e, 0x00),
  Uint8Array.of(0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0),
  Uint8Array.of(0x62, 0xc3, 0x28),
  new TextEncoder().encode('i__proto__'),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0, 0, 0, 0),
];

/** A changed copy of `original`, never equal to it. */
export function mutate(original: Uint8Array, draw: Draw): Uint8Array {
  const bytes = new Uint8Array(original); // slice() of a Buffer would be no copy, and what is changed in it no change
  const at = draw(Math.max(1, bytes.length));
  const changed = ((): Uint8Array => {
    switch (draw(8)) {
      case 0: {
        const copy = bytes.slice();
        copy[at] = (copy[at] ?? 0) ^ (1 << draw(8));
        return copy;
      }
      case 1: {
        const copy = bytes.slice();
        for (let i = 0; i < 1 + draw(8); i += 1) {
          copy[draw(Math.max(1, copy.length))] = draw(256);
        }
        return copy;
      }
      case 2:
        return bytes.slice(0, at);
      case 3:
        return spliced(bytes, at, 0, randomBytes(1 + draw(64), draw));
      case 4:
        return spliced(bytes, at, 1 + draw(32), new Uint8Array(0));
      case 5:
        return spliced(bytes, at, draw(8), piece(draw));
      case 6:
        return spliced(bytes, at, draw(16), bytes.subarray(0, draw(bytes.length + 1)));
      default:
        return randomBytes(1 + draw(256), draw);
    }
  })();
  return Buffer.compare(changed, bytes) === 0
    ? spliced(bytes, at, 0, Uint8Array.of(0x81))
    : changed;
}

function piece(draw: Draw): Uint8Array {
  return HOSTILE_PIECES[draw(HOSTILE_PIECES.length)] ?? Uint8Array.of(0xff);
}

function randomBytes(count: number, draw: Draw): Uint8Array {
  return Uint8Array.from({ length: count }, () => draw(256));
}

function spliced(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}
