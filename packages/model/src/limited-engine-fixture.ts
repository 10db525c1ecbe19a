import { ComputeError, type Engine, type Graph } from '@consilium/compute';

/** An engine whose memory holds graphs of at most `most` samples of an image: larger ones fail when they run. */
export function limitedEngine(engine: Engine, most: number): Engine & { failed: number[] } {
  const failed: number[] = [];
  return {
    failed,
    name: engine.name,
    compile: async (graph) => {
      const program = await engine.compile(graph);
      const samples = samplesOf(graph);
      if (samples <= most) {
        return program;
      }
      return {
        ...program,
        run: () => {
          failed.push(samples);
          return Promise.reject(new ComputeError('OUT_OF_MEMORY', `no room for ${samples}`));
        },
      };
    },
    close: () => engine.close(),
  };
}

/** 0 for a graph without an image: the loss by the logits alone is small. */
function samplesOf({ nodes, inputs }: Graph): number {
  const image = inputs.map((index) => nodes[index]).find((node) => node?.name === 'image');
  return image?.shape[0] ?? 0;
}
