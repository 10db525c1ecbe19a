import { Writer } from 'protobufjs/minimal.js';
import type { Shape } from './graph.ts';

/** A node's attribute: whole numbers are ONNX integers; floats are marked, since 1.0 and 1 look alike here. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

const float32 = 1;
const int64 = 7;
// Opset 17 is what Debian's onnx checks. Apart from ReduceMean, which takes its axes as an attribute up to here, nothing emitted here changes up to 21.
const opset = 17;
const irVersion = 8;

/**
 * Writes an ONNX `ModelProto` node by node. Equal constants are stored once, and an operator with equal inputs and
 * attributes is emitted once (so lowerings may ask for the same intermediate value without passing it around).
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 */
export class OnnxModel {
  readonly #graph: Writer = Writer.create();
  readonly #known = new Map<string, string>();
  readonly #domains = new Set<string>();
  #count = 0;
  /** The layer that is being emitted; it becomes the prefix of the operators' names. */
  layer = '';

  /** A float32 constant: `values` row-major. */
  floats(values: ArrayLike<number>, shape: Shape = [values.length]): string {
    return this.#constant(float32, shape, new Uint8Array(Float32Array.from(values).buffer));
  }

  /** A scalar float32 constant. */
  float(value: number): string {
    return this.floats([value], []);
  }

  /** An int64 vector: shapes, axes, bounds. */
  ints(values: readonly number[]): string {
    const raw = new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer);
    return this.#constant(int64, [values.length], raw);
  }

  /** Stores a named float32 tensor inside the model. */
  initializer(name: string, shape: Shape, values: Float32Array): void {
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#writeTensor(name, float32, shape, raw);
  }

  /**
   * Emits one operator and returns its (first) result. `op` is a name of standard ONNX, or one of a runtime's own behind
   * its domain and a dot (`com.microsoft.FusedMatMul`).
   */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const key = JSON.stringify([op, inputs, attributes]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const output = this.#next();
    this.#known.set(key, output);
    this.#writeNode(op, inputs, output, attributes);
    return output;
  }

  reshape(x: string, shape: Shape): string {
    return this.node('Reshape', [x, this.ints(shape)]);
  }

  /** Declares a float32 tensor that every run must give. */
  input(name: string, shape: Shape): void {
    this.#writeValue(11, name, shape, float32);
  }

  /** Gives a result its public name. */
  output(name: string, value: string, shape: Shape, type: 'float32' | 'int64' = 'float32'): void {
    this.#writeNode('Identity', [value], name, {});
    this.#writeValue(12, name, shape, type === 'int64' ? int64 : float32);
  }

  /** The finished model's bytes. */
  finish(): Uint8Array {
    const model = Writer.create();
    model.uint32(field(1, 0)).int64(irVersion);
    model.uint32(field(2, 2)).string('consilium');
    model.uint32(field(7, 2)).bytes(this.#graph.uint32(field(2, 2)).string('graph').finish());
    model.uint32(field(8, 2)).fork().uint32(field(1, 2)).string('');
    model.uint32(field(2, 0)).int64(opset).ldelim();
    for (const domain of this.#domains) {
      model.uint32(field(8, 2)).fork().uint32(field(1, 2)).string(domain);
      model.uint32(field(2, 0)).int64(1).ldelim();
    }
    return model.finish();
  }

  #next(): string {
    // '#' cannot be in a caller's name, so the two never meet.
    return `#${this.#count++}`;
  }

  #constant(type: number, shape: Shape, raw: Uint8Array): string {
    const key = `${type} ${shape.join()} ${Buffer.from(raw).toString('latin1')}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const name = this.#next();
    this.#known.set(key, name);
    this.#writeTensor(name, type, shape, raw);
    return name;
  }

  #writeTensor(name: string, type: number, shape: Shape, raw: Uint8Array): void {
    const tensor = this.#graph.uint32(field(5, 2)).fork();
    for (const dim of shape) tensor.uint32(field(1, 0)).int64(dim);
    tensor.uint32(field(2, 0)).int32(type);
    tensor.uint32(field(8, 2)).string(name);
    tensor.uint32(field(9, 2)).bytes(raw).ldelim();
  }

  #writeValue(kind: number, name: string, shape: Shape, type: number): void {
    const value = this.#graph.uint32(field(kind, 2)).fork();
    value.uint32(field(1, 2)).string(name);
    value.uint32(field(2, 2)).fork().uint32(field(1, 2)).fork();
    value.uint32(field(1, 0)).int32(type).uint32(field(2, 2)).fork();
    for (const dim of shape)
      value.uint32(field(1, 2)).fork().uint32(field(1, 0)).int64(dim).ldelim();
    value.ldelim().ldelim().ldelim().ldelim();
  }

  #writeNode(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, Attribute>>,
  ): void {
    const node = this.#graph.uint32(field(1, 2)).fork();
    for (const name of inputs) node.uint32(field(1, 2)).string(name);
    node.uint32(field(2, 2)).string(output);
    node.uint32(field(3, 2)).string(`${this.layer} ${output}`);
    const dot = op.lastIndexOf('.');
    node.uint32(field(4, 2)).string(op.slice(dot + 1));
    if (dot !== -1) {
      const domain = op.slice(0, dot);
      this.#domains.add(domain);
      node.uint32(field(7, 2)).string(domain);
    }
    for (const [name, value] of Object.entries(attributes)) writeAttribute(node, name, value);
    node.ldelim();
  }
}

function writeAttribute(node: Writer, name: string, value: Attribute): void {
  node.uint32(field(5, 2)).fork().uint32(field(1, 2)).string(name);
  if (typeof value === 'number') {
    node.uint32(field(3, 0)).int64(value).uint32(field(20, 0)).int32(2);
  } else if (typeof value === 'string') {
    node.uint32(field(4, 2)).bytes(Buffer.from(value)).uint32(field(20, 0)).int32(3);
  } else if ('float' in value) {
    node.uint32(field(2, 5)).float(value.float).uint32(field(20, 0)).int32(1);
  } else {
    for (const item of value) node.uint32(field(8, 0)).int64(item);
    node.uint32(field(20, 0)).int32(7);
  }
  node.ldelim();
}

/** A protobuf tag: field number and wire type (0 varint, 2 length-delimited, 5 four bytes). */
function field(number: number, wireType: number): number {
  return (number << 3) | wireType;
}
