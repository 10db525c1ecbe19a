/** One event of onnxruntime's profile, as far as it is read here. */
export interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly activation_size?: string;
    readonly parameter_size?: string;
    readonly output_size?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
    readonly output_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

/** One operator of the graph as the runtime executed it. */
export interface KernelTime {
  /** The layer, and the operator's number in the model. */
  readonly name: string;
  readonly op: string;
  /** In one run; all kernels that the operator is made of. */
  readonly ms: number;
  readonly flop: number;
  /** Every operand read once and every result written once. */
  readonly bytes: number;
}

/**
 * The operators of `runs` equal runs, each with its median time.
 *
 * Where the profile holds events of the device (`Api`, from WebGPU's timestamp queries), times are the device's own; otherwise they are those
 * of the processor, which for a device that works on by itself is the time of handing over, not of computing: `clock` tells which.
 *
 * @param layerFlop of convolutions by their layer: the profile leaves out the shape of weights that the runtime has rearranged.
 */
export function kernelsOf(
  events: readonly ProfileEvent[],
  runs: number,
  layerFlop: ReadonlyMap<string, number> = new Map(),
): { clock: 'device' | 'processor'; kernels: KernelTime[] } {
  const nodes = new Map<string, { op: string; event: ProfileEvent; times: number[] }>();
  for (const event of events) {
    const op = event.args?.op_name;
    if (event.cat !== 'Node' || op === undefined || !event.name.endsWith('_kernel_time')) continue;
    const name = event.name.slice(0, -'_kernel_time'.length);
    const node = nodes.get(name) ?? { op, event, times: [] };
    node.times.push(event.dur);
    nodes.set(name, node);
  }
  const onDevice = new Map<string, number[]>();
  for (const { cat, name, dur } of events) {
    if (cat !== 'Api') continue;
    const node = name.slice(0, Math.max(0, name.indexOf('&')));
    onDevice.set(node, [...(onDevice.get(node) ?? []), dur]);
  }
  const clock = onDevice.size > 0 ? 'device' : 'processor';
  const kernels = [...nodes].map(([name, { op, event, times }]) => {
    const measured = clock === 'device' ? (onDevice.get(name) ?? []) : times;
    const layer = layerFlop.get(name.replace(/ #.*/, ''));
    return { name, op, ms: typicalMs(measured, runs), ...workOf(op, event, layer) };
  });
  return { clock, kernels };
}

/** Several kernels a run come in turn, run by run: each run's sum, and of those the median. */
function typicalMs(microseconds: readonly number[], runs: number): number {
  const each = Math.round(microseconds.length / runs);
  if (each === 0) return 0;
  const sums = Array.from({ length: runs }, (_, run) =>
    microseconds.slice(run * each, (run + 1) * each).reduce((sum, dur) => sum + dur, 0),
  );
  return (sums.toSorted((a, b) => a - b)[runs >> 1] ?? 0) / 1000;
}

function workOf(
  op: string,
  { args = {} }: ProfileEvent,
  layer: number | undefined,
): { flop: number; bytes: number } {
  const sizes = [args.activation_size, args.parameter_size, args.output_size];
  const moves = !renames.includes(op);
  const bytes = moves ? sizes.reduce((sum, size) => sum + Number(size ?? 0), 0) : 0;
  const inputs = (args.input_type_shape ?? []).map(shapeOf);
  const output = product((args.output_type_shape ?? []).map(shapeOf)[0] ?? []);
  const unseen = op.includes('Conv') && inputs[1] === undefined;
  return { flop: unseen && layer !== undefined ? layer : flopOf(op, inputs, output), bytes };
}

/** They give the same values another shape: nothing moves, whatever their operands' size. */
const renames = ['Reshape', 'Identity', 'Squeeze', 'Unsqueeze', 'Flatten'];
/** They move values and compute nothing. */
const movers = [
  'Transpose',
  'Concat',
  'Slice',
  'Pad',
  'Expand',
  'Cast',
  'ReorderInput',
  'ReorderOutput',
];

/** Two for each multiplication with an addition; elementwise operators count one a value. */
function flopOf(op: string, inputs: readonly (readonly number[])[], output: number): number {
  if (renames.includes(op) || movers.includes(op)) return 0;
  const [first = [], second = []] = inputs;
  if (op.includes('ConvTranspose')) return 2 * product(first) * product(second.slice(1));
  // A kernel is [out, in, …]: its volume without the first is what one value of the result takes.
  if (op.includes('Conv')) return 2 * output * product(second.slice(1));
  if (op.includes('MatMul') || op.includes('Gemm')) return 2 * output * (first.at(-1) ?? 0);
  return Math.max(output, product(first));
}

function shapeOf(typed: Readonly<Record<string, readonly number[]>>): readonly number[] {
  return Object.values(typed)[0] ?? [];
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, dim) => all * dim, 1);
}

/** What kernels cannot be faster than: `gflopPerSecond` and `gbytePerSecond` of the device. */
export interface Floor {
  readonly gflopPerSecond: number;
  readonly gbytePerSecond: number;
}

/** All kernels of one operator together; shares are of the sum of all. */
export interface OperatorShare {
  readonly op: string;
  readonly count: number;
  readonly ms: number;
  readonly share: number;
  readonly gflop: number;
  readonly mbyte: number;
  /** The sum over the kernels of the longer of arithmetic and memory. */
  readonly floorMs: number;
}

/** Kernels summed by operator, the dearest first. */
export function sharesOf(kernels: readonly KernelTime[], floor: Floor): OperatorShare[] {
  const all = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const groups = Map.groupBy(kernels, ({ op }) => op);
  const shares = [...groups].map(([op, group]) => {
    const sum = (pick: (kernel: KernelTime) => number): number =>
      group.reduce((total, kernel) => total + pick(kernel), 0);
    const ms = sum((kernel) => kernel.ms);
    return {
      op,
      count: group.length,
      ms,
      share: all > 0 ? ms / all : 0,
      gflop: sum(({ flop }) => flop) / 1e9,
      mbyte: sum(({ bytes }) => bytes) / 1e6,
      floorMs: sum((kernel) => floorMs(kernel, floor)),
    };
  });
  return shares.sort((a, b) => b.ms - a.ms);
}

/** The longer of what the arithmetic and what the memory takes at least. */
export function floorMs({ flop, bytes }: KernelTime, floor: Floor): number {
  return Math.max(flop / floor.gflopPerSecond, bytes / floor.gbytePerSecond) / 1e6;
}
