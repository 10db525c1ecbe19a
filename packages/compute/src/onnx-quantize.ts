import {
  type Field,
  field,
  fieldsOf,
  messageOf,
  numberField,
  numbersOf,
  textsOf,
} from './onnx-message.ts';

/** The least and the largest value that a tensor has had; 0 is always between them. */
export interface ActivationRange {
  readonly least: number;
  readonly most: number;
}

/** Ranges by the tensor's name in the model. */
export type ActivationRanges = ReadonlyMap<string, ActivationRange>;

/**
 * The tensors whose ranges {@link quantizeModel} needs: what goes into the convolutions that it turns over, and what comes out. Those are the ones of
 * more than one tap and at least eight channels, with constant weights and no bias: elsewhere the roundings there and back cost more than they save.
 */
export function quantizedTensors(model: Uint8Array): string[] {
  const { nodes, weights } = openModel(model);
  const names = nodes
    .filter((node) => quantizedWeight(node, weights) !== undefined)
    .flatMap(({ inputs, outputs }) => [inputs[0], outputs[0]]);
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** The same model with these tensors as further outputs, float32 of any shape. */
export function withOutputs(model: Uint8Array, names: readonly string[]): Uint8Array {
  const anyFloats = messageOf([field(1, messageOf([numberField(1, 1)]))]);
  return changeGraph(model, (fields) => [
    ...fields,
    ...names.map((name) => field(12, messageOf([field(1, name), field(2, anyFloats)]))),
  ]);
}

/**
 * The same model with those convolutions on whole numbers of 8 bits: weights −127…127 with a scale for each output channel, activations 0…255 over their
 * ranges. Everything between stays float32, the statistics of norms above all.
 *
 * A convolution of whose tensors one has no range stays as it is.
 * @see Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference
 */
export function quantizeModel(model: Uint8Array, ranges: ActivationRanges): Uint8Array {
  const { weights } = openModel(model);
  const added: Field[] = [];
  const quantized = new Set<string>();
  const addTensor = (
    name: string,
    type: number,
    shape: readonly number[],
    raw: Uint8Array,
  ): void => {
    added.push(
      field(
        5,
        messageOf([
          ...shape.map((dim) => numberField(1, dim)),
          numberField(2, type),
          field(8, name),
          field(9, raw),
        ]),
      ),
    );
  };
  const addScale = (name: string, range: ActivationRange): void => {
    const scale = Math.fround(Math.max((range.most - range.least) / 255, 1e-12));
    addTensor(`${name}:scale`, float32, [], bytesOf(Float32Array.of(scale)));
    const zero = Math.min(255, Math.max(0, Math.round(-range.least / scale)));
    addTensor(`${name}:zero`, uint8, [], Uint8Array.of(zero));
  };
  const convert = (entry: Field): Field[] => {
    const node = nodeOf(entry);
    const weight = quantizedWeight(node, weights);
    const [x = '', w = ''] = node.inputs;
    const [y = ''] = node.outputs;
    const [xRange, yRange] = [ranges.get(x), ranges.get(y)];
    if (weight === undefined || xRange === undefined || yRange === undefined) return [entry];
    const nodes: Field[] = [];
    if (!quantized.has(x)) {
      quantized.add(x);
      addScale(x, xRange);
      nodes.push(nodeField('QuantizeLinear', [x, `${x}:scale`, `${x}:zero`], `${x}:int8`));
    }
    addScale(y, yRange);
    const { values, scales } = quantizedByChannel(weight);
    const channels = scales.length;
    addTensor(`${y}:weight`, int8, weight.shape, bytesOf(values));
    addTensor(`${y}:weight:scale`, float32, [channels], bytesOf(scales));
    addTensor(`${y}:weight:zero`, int8, [channels], new Uint8Array(channels));
    const inputs = [
      ...[`${x}:int8`, `${x}:scale`, `${x}:zero`],
      ...[`${y}:weight`, `${y}:weight:scale`, `${y}:weight:zero`],
      ...[`${y}:scale`, `${y}:zero`],
    ];
    nodes.push(
      nodeField('QLinearConv', inputs, `${y}:int8`, node.attributes),
      nodeField('DequantizeLinear', [`${y}:int8`, `${y}:scale`, `${y}:zero`], y),
    );
    spent.add(w);
    return nodes;
  };
  const spent = new Set<string>();
  return changeGraph(model, (fields) => {
    const converted = fields.flatMap((each) => (each.number === 1 ? convert(each) : [each]));
    const isRead = new Set(
      converted.filter(({ number }) => number === 1).flatMap((each) => nodeOf(each).inputs),
    );
    const isLeft = (each: Field): boolean =>
      each.number === 5 &&
      textsOf(fieldsOf(each.bytes), 8).some((name) => spent.has(name) && !isRead.has(name));
    return [...converted.filter((each) => !isLeft(each)), ...added];
  });
}

const float32 = 1;
const uint8 = 2;
const int8 = 3;
const int64 = 7;

interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly Field[];
}

interface Weight {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The nodes, and every constant weight by its name: those that are stored, and channels cut out of them. */
function openModel(model: Uint8Array): { nodes: OnnxNode[]; weights: Map<string, Weight> } {
  const graph = fieldsOf(graphOf(fieldsOf(model)).bytes);
  const nodes = graph.filter(({ number }) => number === 1).map(nodeOf);
  const weights = new Map<string, Weight>();
  const bounds = new Map<string, number>();
  for (const { number, bytes } of graph) {
    if (number !== 5) continue;
    const tensor = fieldsOf(bytes);
    const [name = ''] = textsOf(tensor, 8);
    const raw = tensor.find((each) => each.number === 9)?.bytes ?? new Uint8Array();
    const [type] = numbersOf(tensor, 2);
    const { buffer } = new Uint8Array(raw);
    if (type === float32) {
      weights.set(name, { shape: numbersOf(tensor, 1), values: new Float32Array(buffer) });
    } else if (type === int64 && raw.length === 8) {
      bounds.set(name, Number(new BigInt64Array(buffer)[0]));
    }
  }
  for (const { op, inputs, outputs } of nodes) {
    const [whole, from, to, axis] = inputs;
    const weight = weights.get(whole ?? '');
    if (op !== 'Slice' || weight === undefined || bounds.get(axis ?? '') !== 1) continue;
    const cut = channelsOf(weight, bounds.get(from ?? '') ?? 0, bounds.get(to ?? '') ?? 0);
    weights.set(outputs[0] ?? '', cut);
  }
  return { nodes, weights };
}

/** The input channels from `from` up to but without `to` of a convolution's weight. */
function channelsOf({ shape, values }: Weight, from: number, to: number): Weight {
  const [out = 1, channels = 1, ...kernel] = shape;
  const taps = kernel.reduce((product, dim) => product * dim, 1);
  const cut = new Float32Array(out * (to - from) * taps);
  for (let o = 0; o < out; o++) {
    const row = values.subarray((o * channels + from) * taps, (o * channels + to) * taps);
    cut.set(row, o * row.length);
  }
  return { shape: [out, to - from, ...kernel], values: cut };
}

function graphOf(model: readonly Field[]): Field {
  const graph = model.find(({ number }) => number === 7);
  if (graph === undefined) throw new TypeError('these bytes are no ONNX model: they have no graph');
  return graph;
}

function changeGraph(model: Uint8Array, change: (fields: Field[]) => Field[]): Uint8Array {
  const fields = fieldsOf(model);
  const graph = graphOf(fields);
  const changed = field(7, messageOf(change(fieldsOf(graph.bytes))));
  return messageOf(fields.map((each) => (each === graph ? changed : each)));
}

function nodeOf({ bytes }: Field): OnnxNode {
  const fields = fieldsOf(bytes);
  return {
    op: textsOf(fields, 4)[0] ?? '',
    inputs: textsOf(fields, 1),
    outputs: textsOf(fields, 2),
    attributes: fields.filter(({ number }) => number === 5),
  };
}

function nodeField(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: readonly Field[] = [],
): Field {
  const fields = [...inputs.map((name) => field(1, name)), field(2, output), field(3, output)];
  return field(1, messageOf([...fields, field(4, op), ...attributes]));
}

function quantizedWeight(
  { op, inputs }: OnnxNode,
  weights: ReadonlyMap<string, Weight>,
): Weight | undefined {
  const weight = weights.get(inputs[1] ?? '');
  if (op !== 'Conv' || inputs.length !== 2 || weight === undefined) return undefined;
  const [, channels = 0, ...kernel] = weight.shape;
  return channels >= 8 && kernel.some((taps) => taps > 1) ? weight : undefined;
}

function quantizedByChannel({ shape, values }: Weight): {
  values: Int8Array;
  scales: Float32Array;
} {
  const [channels = 1] = shape;
  const each = values.length / channels;
  const scales = new Float32Array(channels);
  const rounded = new Int8Array(values.length);
  for (let channel = 0; channel < channels; channel++) {
    const own = values.subarray(channel * each, (channel + 1) * each);
    const most = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const scale = Math.fround(most === 0 ? 1 : most / 127);
    scales[channel] = scale;
    for (const [i, value] of own.entries()) {
      const whole = Math.round(value / scale);
      rounded[channel * each + i] = Math.min(127, Math.max(-127, whole));
    }
  }
  return { values: rounded, scales };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
