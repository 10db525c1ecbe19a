export { createGraph, GraphBuilder } from './builder.ts';
export { type DifferentiateInit, differentiate } from './differentiate.ts';
export { dropoutMask } from './dropout.ts';
export type {
  Engine,
  Program,
  RunResult,
} from './engine.ts';
export {
  createEngine,
  type EngineName,
  type EngineOptions,
  engineNames,
  isEngineName,
} from './engine-choice.ts';
export { ComputeError, type ComputeErrorCode } from './error.ts';
export {
  type ConvGeometry,
  type DiceOver,
  type FocalGeometry,
  type Graph,
  type GraphNode,
  type GraphOutput,
  gradientLayoutOf,
  layoutOf,
  type NormGeometry,
  type Operation,
  type ParameterGradient,
  type PerExample,
  type Shape,
  type Summed,
  sizeOf,
} from './graph.ts';
export type { LayerOptions, Value } from './graph-assembly.ts';
export { createOnnxEngine, type OnnxEngineInit, type OnnxProvider } from './onnx-engine.ts';
export {
  caseGraph,
  drawFeeds,
  type OperatorCase,
  operatorCases,
  relativeError,
  toSingle,
} from './operator-cases.ts';
export {
  type AdamInit,
  adam,
  type Optimizer,
  type OptimizerRule,
  type OptimizerState,
  type SgdInit,
  sgd,
} from './optimizer.ts';
export { decodeOptimizerState, encodeOptimizerState } from './optimizer-state.ts';
export { compileReader, type Reader, type ReaderInit } from './reader.ts';
export { createReferenceEngine, interpret, type ReferenceResult } from './reference.ts';
export { scaleToNorm } from './scale-to-norm.ts';
export { type ToOnnxInit, toOnnx } from './to-onnx.ts';
export {
  compileTraining,
  type TrainingInit,
  type TrainingProgram,
  type TrainingState,
} from './training-program.ts';
export { adapterHere, type WebgpuAdapter } from './webgpu-adapter.ts';
