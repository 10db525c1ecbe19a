import {
  createGraph,
  type DiceOver,
  type Graph,
  type GraphBuilder,
  type Value,
} from '@consilium/compute';

/** A U-Net's size; with widths 16, 32, 64, 128 and 8 groups it has 487,713 parameters. */
export interface ReferenceUNet {
  readonly batch: number;
  /** Height and width of the image in pixels. */
  readonly size: number;
  readonly widths: readonly number[];
  readonly groups: number;
  /** What the soft Dice sums over. @default 'batch' */
  readonly over?: DiceOver;
}

/**
 * The network that engines are timed on: two 3×3 convolutions with group norm and ReLU a level, max pooling down, nearest
 * upsampling and skip connections up, a 1×1 head; loss BCE + soft Dice. `reference-unet-torch.py` is the same in PyTorch.
 */
export function referenceUNet(network: ReferenceUNet): Graph {
  const g = createGraph();
  const image = g.input('image', [network.batch, 1, network.size, network.size]);
  const target = g.input('target', image.shape);
  const logits = buildLogits(g, image, network);
  const { over = 'batch' } = network;
  g.output('probability', g.sigmoid(logits));
  g.output(
    'loss',
    g.add(g.bceWithLogits(logits, target), g.softDiceLoss(logits, target, { over })),
  );
  return g.build();
}

/** The same network as it reads: from `image` to `probability`, without target and loss. */
export function referenceReading(network: ReferenceUNet): Graph {
  const g = createGraph();
  const image = g.input('image', [network.batch, 1, network.size, network.size]);
  g.output('probability', g.sigmoid(buildLogits(g, image, network)));
  return g.build();
}

function buildLogits(g: GraphBuilder, image: Value, { widths, groups }: ReferenceUNet): Value {
  const block = (name: string, input: Value, out: number): Value => {
    let x = input;
    for (const layer of [`${name}/1`, `${name}/2`]) {
      const channels = x.shape[1] ?? 0;
      const convolved = g.conv2d(x, g.parameter(`${layer}/weight`, [out, channels, 3, 3]));
      const scale = g.parameter(`${layer}/scale`, [out]);
      const shift = g.parameter(`${layer}/shift`, [out]);
      x = g.relu(g.groupNorm(convolved, scale, shift, groups));
    }
    return x;
  };
  const skips: { x: Value; width: number }[] = [];
  let x = image;
  for (const [level, width] of widths.entries()) {
    x = block(`down${level}`, level === 0 ? x : g.maxPool2d(x), width);
    skips.push({ x, width });
  }
  skips.pop();
  for (const [level, skip] of [...skips.entries()].reverse()) {
    x = block(`up${level}`, g.concat([g.upsample2d(x), skip.x]), skip.width);
  }
  const channels = x.shape[1] ?? 0;
  return g.conv2d(
    x,
    g.parameter('head/weight', [1, channels, 1, 1]),
    g.parameter('head/bias', [1]),
  );
}
