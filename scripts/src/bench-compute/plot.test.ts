import { expect, test } from 'vitest';
import { plotRatios } from './plot.ts';

const bars = [
  { label: 'training < 4 × 128² & "more"', ratio: 0.94, limit: 1.15 },
  { label: 'private', ratio: 1.61, limit: 1.3 },
  { label: 'reading', ratio: 0.25, limit: null },
];
const svg = plotRatios('ours ÷ theirs', 'a <machine>', bars);

/** The names of the elements in order; throws where tags do not nest or text holds bare marks. */
function elementsOf(xml: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  const tag = /<(\/?)([a-z]+)((?: [a-z0-9A-Z:-]+="[^"<&]*")*) ?(\/?)>/g;
  const between = xml.replace(tag, (_, closes: string, name: string, _attributes, ends: string) => {
    if (closes === '/') expect(open.pop()).toBe(name);
    else {
      seen.push(name);
      if (ends === '') open.push(name);
    }
    return '';
  });
  expect(open).toEqual([]);
  expect(between.replace(/&#\d+;/g, '')).not.toMatch(/[<>&]/);
  return seen;
}

test('is well-formed, with a title for those who do not see it', () => {
  const elements = elementsOf(svg);
  expect(elements.slice(0, 3)).toEqual(['svg', 'title', 'desc']);
  expect(svg).toContain('<title>ours ÷ theirs</title>');
  expect(svg).toContain('training &#60; 4 × 128² &#38; &#34;more&#34;');
});

test('a bar within its limit, one beyond it and one without look different', () => {
  const kinds = [...svg.matchAll(/<rect class="(\w+)" x=/g)].map(([, kind]) => kind);
  expect(kinds).toEqual(['within', 'beyond', 'free']);
  expect([...svg.matchAll(/<line class="limit"/g)]).toHaveLength(2);
  expect([...svg.matchAll(/<line class="equal"/g)]).toHaveLength(1);
});

test('bars are as long as their ratios', () => {
  const widths = [...svg.matchAll(/<rect class="\w+" x="\d+" y="\d+" width="([\d.]+)"/g)].map(
    ([, width]) => Number(width),
  );
  const [first = 0, second = 0, third = 0] = widths;
  expect(second / first).toBeCloseTo(1.61 / 0.94, 2);
  expect(third / first).toBeCloseTo(0.25 / 0.94, 2);
});

test('has colours for light and for dark', () => {
  expect(svg).toContain('@media (prefers-color-scheme:dark)');
});
