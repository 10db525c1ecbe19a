import { voxelCount } from '../scan.ts';
import { type Confounder, createConfounders, fluidHu } from './confounder.ts';
import type { Grid } from './grid.ts';
import { drawLesions, type Lesion } from './lesion.ts';
import { createLungTissue } from './lung-tissue.ts';
import type { Person } from './person.ts';
import type { Random } from './random.ts';
import { coverage, mix } from './shape.ts';
import { createThorax } from './thorax.ts';
import { airHu, createSoftTissue } from './tissue.ts';
import type { Tube } from './tree.ts';
import { paintTubes } from './tube.ts';
import { createVessels } from './vessels.ts';

/** A person with findings, before a scanner has seen them. */
export interface BodyInit {
  person: Person;
  /** Days since onset, or `null` for a person without the illness. */
  day: number | null;
  confounders: readonly Confounder[];
  contrastHu: number;
  random: Random;
}

/** HU as an ideal scanner with this grid would measure them, and the truth. */
export interface Body {
  hu: Float32Array;
  lung: Uint8Array;
  lesion: Uint8Array;
}

/** Draws the body onto the grid. The person's build, vessels and lesions do not depend on the grid. */
export function drawBody(init: BodyInit, grid: Grid): Body {
  const { person, random } = init;
  const thorax = createThorax(person);
  const vessels = createVessels(thorax, random.fork('vessels'));
  const lesions: readonly Lesion[] =
    init.day === null ? [] : drawLesions(thorax, init.day, random.fork('lesions'));
  const confounders = createConfounders(thorax, init.confounders, random.fork('confounders'));
  const widthMm = grid.spacingMm[0];
  const { thicknessMm } = grid;
  const soft = createSoftTissue(thorax, random.fork('tissue'), widthMm, init.contrastHu);
  const lungTissue = createLungTissue(
    thorax,
    { lesions, confounders, widthMm, thicknessMm },
    random.fork('lung'),
  );

  const [width, height, depth] = grid.size;
  const body: Body = {
    hu: new Float32Array(voxelCount(grid.size)).fill(airHu),
    lung: new Uint8Array(voxelCount(grid.size)),
    lesion: new Uint8Array(voxelCount(grid.size)),
  };
  const cos = Math.cos(person.roll);
  const sin = Math.sin(person.roll);
  for (let k = 0; k < depth; k++) {
    const z = grid.originMm[2] + k * grid.spacingMm[2];
    thorax.moveTo(z);
    lungTissue.moveTo(z);
    for (let j = 0; j < height; j++) {
      const v = grid.originMm[1] + j * grid.spacingMm[1] - person.shiftY;
      for (let i = 0; i < width; i++) {
        const u = grid.originMm[0] + i * grid.spacingMm[0] - person.shiftX;
        const x = u * cos + v * sin;
        const y = v * cos - u * sin;
        thorax.probe(x, y);
        if (thorax.body > widthMm) continue;
        const at = (k * height + j) * width + i;
        // A slice that cuts the dome obliquely averages lung and what lies below over its thickness.
        const edge =
          thorax.lung + thorax.diaphragm > -3 ? Math.max(widthMm, 0.7 * thicknessMm) : widthMm;
        const aired = coverage(thorax.lung, edge);
        let hu = aired < 1 ? soft(x, y, z) : 0;
        if (aired > 0) {
          const fluid = confounders.fluid(x, y, z);
          lungTissue.probe(x, y, z);
          hu = mix(hu, mix(lungTissue.hu, fluidHu, fluid), aired);
          if (thorax.lung < 0 && fluid < 0.5) {
            body.lung[at] = 1;
            if (lungTissue.diseased >= 0.5) body.lesion[at] = 1;
          }
        }
        body.hu[at] = hu;
      }
    }
  }

  const onTable = (tubes: readonly Tube[]): Tube[] =>
    tubes.map((tube) => placed(tube, person, cos, sin));
  const bloodHu = 42 + init.contrastHu;
  const airways = onTable(vessels.airways);
  paintTubes(body.hu, grid, onTable(vessels.collarBones), 620);
  paintTubes(body.hu, grid, onTable(vessels.collarBones), 240, -2);
  paintTubes(body.hu, grid, onTable(vessels.nodes), 46);
  paintTubes(body.hu, grid, onTable(vessels.oesophagus), 36);
  paintTubes(body.hu, grid, airways, 5, 0.75);
  paintTubes(body.hu, grid, onTable(vessels.blood), bloodHu);
  paintTubes(body.hu, grid, airways, -990);
  paintTubes(body.hu, grid, onTable(confounders.granulomas), 560);
  return body;
}

/** From the person's own axes to where they lie on the table. */
function placed(tube: Tube, person: Person, cos: number, sin: number): Tube {
  const move = ([x, y, z]: Tube['from']): Tube['from'] => [
    x * cos - y * sin + person.shiftX,
    x * sin + y * cos + person.shiftY,
    z,
  ];
  return { ...tube, from: move(tube.from), to: move(tube.to) };
}
