import { imageShape, type Shape } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

/** onnxruntime's own domain of operators on blocked images, of its CPU kernels alone. */
export const blockedDomain = 'com.microsoft.nchwc';

/**
 * The results of a graph's nodes while it is lowered, by index, in up to two layouts; a layout that a result is not in yet
 * is made when it is first asked for.
 *
 * *Plain* is what ONNX says: [N, C, H, W]. *Blocked* keeps `block` channels together: [N, C / block, H, W, block], under
 * the nominal shape [N, C, H, W], so that operators on single values, and those on whole blocks of channels, cannot tell.
 */
export class BlockedValues {
  readonly block: number;
  readonly #model: OnnxModel;
  readonly #plain = new Map<number, string>();
  readonly #blocked = new Map<number, { name: string; channels: number }>();

  constructor(model: OnnxModel, block: number) {
    this.#model = model;
    this.block = block;
  }

  /** Whether images of this shape can be blocked: four dimensions, and whole blocks of channels. */
  fits(shape: Shape): boolean {
    return shape.length === 4 && (shape[1] ?? 0) % this.block === 0;
  }

  setPlain(index: number, name: string): void {
    this.#plain.set(index, name);
  }

  setBlocked(index: number, name: string, shape: Shape): void {
    this.#blocked.set(index, { name, channels: imageShape(shape, name)[1] });
  }

  isBlocked(index: number): boolean {
    return this.#blocked.has(index);
  }

  plain(index: number): string {
    const known = this.#plain.get(index);
    if (known !== undefined) return known;
    const blocked = this.#blocked.get(index);
    if (blocked === undefined) return '';
    const name = this.#model.node(`${blockedDomain}.ReorderOutput`, [blocked.name], {
      channels: blocked.channels,
    });
    this.#plain.set(index, name);
    return name;
  }

  /** For a result whose shape {@link fits}. */
  blocked(index: number, shape: Shape): string {
    const known = this.#blocked.get(index);
    if (known !== undefined) return known.name;
    const name = this.#model.node(`${blockedDomain}.ReorderInput`, [this.plain(index)]);
    this.setBlocked(index, name, shape);
    return name;
  }
}
