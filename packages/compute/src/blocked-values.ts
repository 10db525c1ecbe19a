import type { Shape } from './graph.ts';
import { flatShape, planesOf } from './image-planes.ts';
import type { OnnxModel } from './onnx-model.ts';

/** onnxruntime's own domain of operators on blocked images, of its CPU kernels alone. */
export const blockedDomain = 'com.microsoft.nchwc';

/**
 * The results of a graph's nodes while it is lowered, by index, in up to two layouts; a layout that a result is not in yet
 * is made when it is first asked for.
 *
 * *Plain* is what ONNX says: [N, C, H, W]. *Blocked* keeps `block` channels together: [N, C / block, H, W, block], under
 * the nominal shape [N, C, H, W], so that operators on single values, and those on whole blocks of channels, cannot tell.
 * An image with depth, plain [N, C, D, H, W], is blocked plane by plane: [N · D, C / block, H, W, block], nominally [N · D, C, H, W].
 */
export class BlockedValues {
  readonly block: number;
  readonly #model: OnnxModel;
  readonly #plain = new Map<number, string>();
  readonly #blocked = new Map<number, { name: string; shape: Shape }>();
  readonly #uniform = new Map<number, { name: string; shape: Shape }>();

  constructor(model: OnnxModel, block: number) {
    this.#model = model;
    this.block = block;
  }

  /** Whether images of this shape can be blocked: two or three spatial axes, and whole blocks of channels. */
  fits(shape: Shape): boolean {
    return (shape.length === 4 || shape.length === 5) && (shape[1] ?? 0) % this.block === 0;
  }

  setPlain(index: number, name: string): void {
    this.#plain.set(index, name);
  }

  setBlocked(index: number, name: string, shape: Shape): void {
    this.#blocked.set(index, { name, shape });
  }

  /** Sets a result that is the scalar `name` everywhere. */
  setUniform(index: number, name: string, shape: Shape): void {
    this.#uniform.set(index, { name, shape });
  }

  /** The scalar that the result is everywhere, if it is known to be so. */
  uniform(index: number): string | undefined {
    return this.#uniform.get(index)?.name;
  }

  isBlocked(index: number): boolean {
    return this.#blocked.has(index);
  }

  plain(index: number): string {
    const known = this.#plain.get(index);
    if (known !== undefined) return known;
    const name = this.#makePlain(index);
    this.#plain.set(index, name);
    return name;
  }

  /** For a result whose shape {@link fits}. */
  blocked(index: number, shape: Shape): string {
    const known = this.#blocked.get(index);
    if (known !== undefined) return known.name;
    const uniform = this.uniform(index);
    const name =
      uniform === undefined
        ? this.#reorderInput(this.plain(index), shape)
        : this.#expand(uniform, flatShape(planesOf(shape, 'uniform')));
    this.setBlocked(index, name, shape);
    return name;
  }

  /** Plain, with every plane of an image with depth as a sample of its own. */
  plainPlanes(index: number, shape: Shape): string {
    const plain = this.plain(index);
    if (shape.length !== 5) return plain;
    const planes = planesOf(shape, 'planes');
    const { samples, channels, depth, height, width } = planes;
    const lead = [samples, channels, depth];
    return this.#model.reshape(this.#exchange(plain, lead, height * width), flatShape(planes));
  }

  #makePlain(index: number): string {
    const uniform = this.#uniform.get(index);
    if (uniform !== undefined) return this.#expand(uniform.name, uniform.shape);
    const blocked = this.#blocked.get(index);
    return blocked === undefined ? '' : this.#reorderOutput(blocked.name, blocked.shape);
  }

  #expand(scalar: string, shape: Shape): string {
    return this.#model.node('Expand', [scalar, this.#model.ints(shape)]);
  }

  #reorderOutput(blocked: string, shape: Shape): string {
    const { samples, channels, depth, height, width } = planesOf(shape, 'blocked');
    const reorder = `${blockedDomain}.ReorderOutput`;
    if (shape.length === 4) return this.#model.node(reorder, [blocked], { channels });
    const blocks = Math.ceil(channels / this.block);
    const tall = this.#model.reshape(
      this.#exchange(blocked, [samples, depth, blocks], height * width * this.block),
      [samples, blocks * this.block, depth * height, width],
    );
    return this.#model.reshape(this.#model.node(reorder, [tall], { channels }), shape);
  }

  #reorderInput(plain: string, shape: Shape): string {
    const reorder = `${blockedDomain}.ReorderInput`;
    if (shape.length === 4) return this.#model.node(reorder, [plain]);
    const planes = planesOf(shape, 'blocked');
    const { samples, channels, depth, height, width } = planes;
    const tall = this.#model.reshape(plain, [samples, channels, depth * height, width]);
    const lead = [samples, channels / this.block, depth];
    const blocked = this.#model.node(reorder, [tall]);
    return this.#model.reshape(
      this.#exchange(blocked, lead, height * width * this.block),
      flatShape(planes),
    );
  }

  /** From [N, A, B, rest] to [N, B, A, rest]. */
  #exchange(x: string, [n = 1, a = 1, b = 1]: readonly number[], rest: number): string {
    if (a === 1 || b === 1) return x;
    const parts = this.#model.reshape(x, [n, a, b, rest]);
    return this.#model.node('Transpose', [parts], { perm: [0, 2, 1, 3] });
  }
}
