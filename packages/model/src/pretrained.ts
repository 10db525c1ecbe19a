import {
  decodePayload,
  encodePayload,
  fromGrid,
  putPart,
  quantize,
  splitLayout,
  takePart,
  toGrid,
} from '@consilium/weights';
import { networkLayout } from './network.ts';
import { defaultTask, type NetworkSpec, smallTask } from './task.ts';

/** Finest step of a stored value: a study's grid of this or a finer step holds every one exactly. */
const gridExponent = -20;

/** The networks that come with weights, and the names of their files. */
const pretrainedNetworks: Readonly<Record<string, NetworkSpec>> = {
  small: smallTask.network,
  default: defaultTask.network,
};

/**
 * The file with the weights that were pre-trained for just this network, or null where there is none. Beside it lies a `.json` of the same name that says
 * from what they came and how well they read. They were trained on generated patients only: no person's scan is in them, and to begin from
 * them costs no privacy budget.
 *
 * Nothing is read here: see {@link decodePretrained}.
 */
export function pretrainedFile(network: NetworkSpec): URL | null {
  const found = Object.entries(pretrainedNetworks).find(([, known]) => isSame(known, network));
  return found === undefined ? null : new URL(`../pretrained/${found[0]}.conw`, import.meta.url);
}

/** A file's bytes for the shared part of `weights`, the whole vector: 16 bits a value, rounded to the nearest. */
export function encodePretrained(network: NetworkSpec, weights: Float32Array): Uint8Array {
  const layout = networkLayout(network);
  const { shared } = splitLayout(layout);
  const half = (count: number): Uint8Array =>
    new Uint8Array(count).map((_, i) => (i % 4 === 3 ? 0x80 : 0));
  const values = takePart(layout, shared, weights);
  return encodePayload(quantize(shared, values, { bits: 16, gridExponent, random: half }).update);
}

/**
 * The whole vector out of a file's bytes; corrections of a site are zero. Every value is a multiple of 2^-20.
 *
 * @throws {WeightsError} for bytes that are not of this network's file.
 */
export function decodePretrained(network: NetworkSpec, bytes: Uint8Array): Float32Array {
  const layout = networkLayout(network);
  const { shared } = splitLayout(layout);
  const weights = new Float32Array(layout.length);
  const grid = toGrid(decodePayload(shared, bytes), gridExponent);
  putPart(layout, shared, weights, fromGrid(grid, gridExponent));
  return weights;
}

function isSame(a: NetworkSpec, b: NetworkSpec): boolean {
  const { size, cropSize, slices, channels, groupChannels } = a;
  return (
    size === b.size &&
    cropSize === b.cropSize &&
    slices === b.slices &&
    channels.join() === b.channels.join() &&
    groupChannels === b.groupChannels
  );
}
