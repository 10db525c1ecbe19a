import { mkdirSync, writeFileSync } from 'node:fs';
import { generatePatient } from '@consilium/imaging/phantom';
import { encode } from 'fast-png';

const args = process.argv.slice(2);
const profile = (args[0] ?? 'hospital-a') as any,
  seed = Number(args[1] ?? 1),
  day = args[2] ?? '9',
  conf = (args[3] ?? '').split(',').filter(Boolean) as any;
const size = args[4] ? (args[4].split('x').map(Number) as any) : undefined;
const condition: any =
  day === 'c'
    ? { kind: 'control', confounders: conf }
    : { kind: 'covid', day: Number(day), confounders: conf };
const t = performance.now();
const p = generatePatient({ seed, profile, condition, size });
console.log(
  'ms',
  Math.round(performance.now() - t),
  p.scan.size,
  p.scan.spacingMm!.map((v) => v.toFixed(2)),
);
const L = p.lung!.voxels.reduce((a, b) => a + b, 0),
  S = p.lesion!.voxels.reduce((a, b) => a + b, 0);
const vox = p.scan.spacingMm!.reduce((a, b) => a * b) / 1e3;
console.log(
  'lung ml',
  Math.round(L * vox),
  'lesion ml',
  Math.round(S * vox),
  'burden',
  (S / L).toFixed(3),
);
const [w, h, d] = p.scan.size;
const win = (v: number, c: number, ww: number) =>
  Math.max(0, Math.min(255, Math.round(((v - (c - ww / 2)) / ww) * 255)));
function montage(c: number, ww: number, zs: number[], cols: number, mask: boolean) {
  const rows = Math.ceil(zs.length / cols);
  const out = new Uint8Array(w * cols * h * rows * 3);
  zs.forEach((z, n) => {
    const X = (n % cols) * w,
      Y = Math.floor(n / cols) * h;
    for (let j = 0; j < h; j++)
      for (let i = 0; i < w; i++) {
        const a = (z * h + j) * w + i;
        const g = win(p.scan.voxels[a]!, c, ww);
        const o = ((Y + j) * w * cols + X + i) * 3;
        const m = p.lesion!.voxels,
          l = p.lung!.voxels;
        const edge = (v: Uint8Array) => v[a] && !(v[a - 1] && v[a + 1] && v[a - w] && v[a + w]);
        out[o] = out[o + 1] = out[o + 2] = g;
        if (mask && edge(l)) {
          out[o] = 0;
          out[o + 1] = 120;
          out[o + 2] = 255;
        }
        if (mask && edge(m)) {
          out[o] = 255;
          out[o + 1] = 60;
          out[o + 2] = 0;
        }
      }
  });
  return encode({ width: w * cols, height: h * rows, data: out, channels: 3, depth: 8 });
}
mkdirSync('/tmp/ph', { recursive: true });
const N = 6;
const head = p.scan.affine![10]! < 0;
const zs = [...Array(N).keys()].map((i) => {
  const z = Math.round((0.2 + (0.7 * i) / (N - 1)) * (d - 1));
  return head ? d - 1 - z : z;
});
writeFileSync('/tmp/ph/lung.png', montage(-600, 1500, zs, 3, false));
writeFileSync('/tmp/ph/med.png', montage(40, 400, zs, 3, false));
writeFileSync('/tmp/ph/mask.png', montage(-600, 1500, zs, 3, true));
// coronal
const zf = Math.max(1, Math.round(p.scan.spacingMm![2] / p.scan.spacingMm![0]));
const H = d * zf;
const js = [0.36, 0.46, 0.56, 0.64].map((f) => Math.round(f * h));
const out = new Uint8Array(w * 2 * H * 2);
js.forEach((j, n) => {
  const X = (n % 2) * w,
    Y = Math.floor(n / 2) * H;
  for (let y = 0; y < H; y++)
    for (let i = 0; i < w; i++) {
      const fz = Math.min(d - 1.001, y / zf);
      const z = Math.floor(fz);
      const at = (zz: number) => {
        const k = head ? zz : d - 1 - zz;
        return p.scan.voxels[(k * h + j) * w + i]!;
      };
      out[(Y + y) * w * 2 + X + i] = win(
        at(z) + (fz - z) * (at(z + 1) - at(z)),
        n === 3 ? 40 : -600,
        n === 3 ? 400 : 1500,
      );
    }
});
writeFileSync(
  '/tmp/ph/cor.png',
  encode({ width: w * 2, height: H * 2, data: out, channels: 1, depth: 8 }),
);
