/** Height of a line of text, in pixels. */
export const textHeight = 7;

const glyphWidth = 5;

/** Width of a text in pixels, with one empty column after every letter. */
export function textWidth(text: string): number {
  return text.length * (glyphWidth + 1);
}

// Seven rows of five pixels a letter, two hex digits a row, the leftmost pixel in bit 4.
const glyphs: ReadonlyMap<string, string> = new Map([
  ['A', '0e11111f111111'],
  ['B', '1e11111e11111e'],
  ['C', '0e11101010110e'],
  ['D', '1e11111111111e'],
  ['E', '1f10101e10101f'],
  ['F', '1f10101e101010'],
  ['G', '0e11101711110f'],
  ['H', '1111111f111111'],
  ['I', '0e04040404040e'],
  ['J', '0702020202120c'],
  ['K', '11121418141211'],
  ['L', '1010101010101f'],
  ['M', '111b1515111111'],
  ['N', '11191513111111'],
  ['O', '0e11111111110e'],
  ['P', '1e11111e101010'],
  ['Q', '0e11111115120d'],
  ['R', '1e11111e141211'],
  ['S', '0f10100e01011e'],
  ['T', '1f040404040404'],
  ['U', '1111111111110e'],
  ['V', '11111111110a04'],
  ['W', '1111111515150a'],
  ['X', '11110a040a1111'],
  ['Y', '11110a04040404'],
  ['Z', '1f01020408101f'],
  ['0', '0e11131519110e'],
  ['1', '040c040404040e'],
  ['2', '0e11010608101f'],
  ['3', '1e01010e01011e'],
  ['4', '02060a121f0202'],
  ['5', '1f101e0101110e'],
  ['6', '0608101e11110e'],
  ['7', '1f010204080808'],
  ['8', '0e11110e11110e'],
  ['9', '0e11110f01020c'],
  ['-', '0000001f000000'],
  ['.', '00000000000c0c'],
  [':', '000c0c000c0c00'],
  ['%', '191a0204080b13'],
  ['/', '01020204080810'],
  [',', '000000000c0408'],
  ['+', '0004041f040400'],
  ['=', '00001f001f0000'],
  ['(', '02040808080402'],
  [')', '08040202020408'],
  ['_', '0000000000001f'],
]);

/**
 * Writes a line of white text into an RGB picture. Letters are drawn as capitals; a sign that the
 * face does not hold leaves a space; what lies outside of the picture is cut off.
 */
export function drawText(
  target: { pixels: Uint8Array; width: number; height: number },
  text: string,
  left: number,
  top: number,
): void {
  for (const [i, letter] of [...text.toUpperCase()].entries()) {
    const glyph = glyphs.get(letter);
    if (glyph === undefined) continue;
    for (let row = 0; row < textHeight; row++) {
      const bits = Number.parseInt(glyph.slice(row * 2, row * 2 + 2), 16);
      for (let column = 0; column < glyphWidth; column++) {
        const x = left + i * (glyphWidth + 1) + column;
        const y = top + row;
        const lit = (bits >> (glyphWidth - 1 - column)) & 1;
        if (lit === 0 || x < 0 || y < 0 || x >= target.width || y >= target.height) continue;
        target.pixels.fill(255, (y * target.width + x) * 3, (y * target.width + x) * 3 + 3);
      }
    }
  }
}
