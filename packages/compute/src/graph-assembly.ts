import { ComputeError } from './error.ts';
import type { Graph, GraphNode, GraphOutput, Operation, Shape } from './graph.ts';
import { checkShape, fail } from './shape-check.ts';

/** A tensor in a graph under construction. Only the builder that made it accepts it. */
export interface Value {
  readonly node: number;
  readonly name: string;
  readonly shape: Shape;
}

/** Every layer may be named; without a name it takes its parameter's, or operator and number. */
export interface LayerOptions {
  readonly name?: string;
}

/** The nodes of a graph as they are put together: sources, results, and the checks that every layer makes. */
export class GraphAssembly {
  readonly #nodes: GraphNode[] = [];
  readonly #inputs: number[] = [];
  readonly #parameters: number[] = [];
  readonly #outputs: GraphOutput[] = [];
  readonly #names = new Set<string>(['gradient']);

  /** A tensor given at every run. Names are unique among inputs, parameters and outputs; `gradient` is taken. */
  input(name: string, shape: Shape): Value {
    const value = this.#source('input', name, shape);
    this.#inputs.push(value.node);
    return value;
  }

  /** A trained tensor. A name that starts with `site/` marks it as the site's own (see @consilium/weights). */
  parameter(name: string, shape: Shape): Value {
    const value = this.#source('parameter', name, shape);
    this.#parameters.push(value.node);
    return value;
  }

  /** A tensor of one repeated value. */
  constant(value: number, shape: Shape = []): Value {
    const name = `constant ${value}`;
    checkShape(name, shape);
    if (!Number.isFinite(value)) fail(name, 'the value is not finite');
    return this.push({ op: 'constant', inputs: [], value }, shape, name);
  }

  /** Names a result that every run returns. */
  output(name: string, x: Value): void {
    this.own(name, x);
    this.#claim(name);
    this.#outputs.push({ name, node: x.node });
  }

  /** The graph so far, as data of its own. @throws {ComputeError} `BAD_GRAPH` without an output. */
  build(): Graph {
    if (this.#outputs.length === 0) {
      throw new ComputeError('BAD_GRAPH', 'the graph has no output');
    }
    return {
      nodes: [...this.#nodes],
      inputs: [...this.#inputs],
      parameters: [...this.#parameters],
      outputs: [...this.#outputs],
    };
  }

  /** The value itself. @throws {ComputeError} `BAD_GRAPH` when another builder made it. */
  protected own(layer: string, value: Value): Value {
    if (this.#nodes[value.node]?.shape !== value.shape) {
      fail(layer, `${value.name} belongs to another graph`);
    }
    return value;
  }

  /** Refuses a value that is not given anew at every run. */
  protected checkInput(layer: string, what: string, value: Value): void {
    if (this.#nodes[value.node]?.op !== 'input')
      fail(layer, `${what} is not an input of the graph`);
  }

  protected push(operation: Operation, shape: Shape, name: string): Value {
    checkShape(name, shape);
    const owned = Object.freeze([...shape]);
    this.#nodes.push({ ...operation, name, shape: owned });
    return { node: this.#nodes.length - 1, name, shape: owned };
  }

  protected nextName(op: string): string {
    return `${op} #${this.#nodes.length}`;
  }

  /** How many nodes there are: a number that no later node gets. */
  protected get size(): number {
    return this.#nodes.length;
  }

  #source(op: 'input' | 'parameter', name: string, shape: Shape): Value {
    this.#claim(name);
    checkShape(`${op} ${name}`, shape);
    return this.push({ op, inputs: [] }, shape, name);
  }

  #claim(name: string): void {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_./-]*$/.test(name)) {
      throw new ComputeError('BAD_GRAPH', `${JSON.stringify(name)}: names are of A-Za-z0-9_./-`);
    }
    if (this.#names.has(name)) fail(name, 'the name is taken');
    this.#names.add(name);
  }
}
