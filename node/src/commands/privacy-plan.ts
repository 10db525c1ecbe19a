import { writeFile } from 'node:fs/promises';
import {
  defaultTask,
  networkLayout,
  privateTask,
  smallTask,
  trainableTensors,
} from '@consilium/model';
import { type ProfileName, profiles } from '@consilium/privacy';
import { costOf } from '../privacy-cost.ts';
import { privacyCurve } from '../privacy-curve.ts';
import { forecast, type PrivacyForecast } from '../privacy-forecast.ts';
import { policyFor, privacyPlan } from '../privacy-plan.ts';
import { privacyLines, privacyOf } from '../privacy-view.ts';
import { usage } from '../usage.ts';
import { type Command, type Invocation, textOption } from './command.ts';

const form =
  'privacy plan --patients N --rounds R [--sites K] [--profile NAME] [--epsilon E] [--delta D] [--batch B] [--steps S] [--clip C] [--task NAME] [--train PART,…] [--picture FILE.svg]';

export const privacyPlanCommand: Command = {
  usage: form,
  summary: 'tell what privacy will cost a study before it is founded',
  options: {
    patients: { type: 'string' },
    rounds: { type: 'string' },
    sites: { type: 'string' },
    profile: { type: 'string' },
    epsilon: { type: 'string' },
    delta: { type: 'string' },
    batch: { type: 'string' },
    steps: { type: 'string' },
    clip: { type: 'string' },
    task: { type: 'string' },
    train: { type: 'string' },
    picture: { type: 'string' },
    json: { type: 'boolean' },
  },
  positionals: 0,
  async run(invocation) {
    const { options, print } = invocation;
    const told = forecastOf(invocation);
    const cost = costOf(told.noiseToSignalStudy);
    const picture = textOption(invocation, 'picture');
    if (picture !== undefined) await writeFile(picture, privacyCurve(told));
    if (options['json'] === true) {
      print(JSON.stringify({ ...told, cost }, null, 2));
      return;
    }
    for (const line of lines(told, cost)) print(line);
    if (picture !== undefined) print(`picture   ${picture}`);
  },
};

function forecastOf(invocation: Invocation): PrivacyForecast {
  const patients = count(invocation, 'patients');
  const rounds = count(invocation, 'rounds');
  const sites = count(invocation, 'sites', 3);
  const name = textOption(invocation, 'task') ?? 'small';
  if (name !== 'small' && name !== 'default') throw usage(`task ${name} is not known`, form);
  const { network, training } = privateTask(name === 'small' ? smallTask : defaultTask);
  const stepsPerRound = count(invocation, 'steps', training.stepsPerRound);
  const trainable = trainableTensors(
    network,
    (textOption(invocation, 'train') ?? 'norms').split(','),
  );
  const plan = privacyPlan.parse({
    profile: profile(invocation),
    ...given(invocation, 'epsilon', 'epsilon'),
    ...given(invocation, 'delta', 'delta'),
    ...given(invocation, 'batch', 'expectedBatch'),
    ...given(invocation, 'clip', 'clipNorm'),
  });
  const demand = { cohorts: [patients], rounds, stepsPerRound, trainable };
  const policy = policyFor(plan, demand);
  if (policy === null) throw usage('profile off costs nothing and promises nothing', form);
  const dimension = networkLayout(network)
    .tensors.filter((tensor) => trainable.includes(tensor.name))
    .reduce((sum, { length }) => sum + length, 0);
  return forecast(policy, { rounds, stepsPerRound, sites, patients, dimension });
}

function profile(invocation: Invocation): ProfileName {
  const name = textOption(invocation, 'profile') ?? 'balanced';
  if (Object.hasOwn(profiles, name)) return name as ProfileName;
  throw usage(`profile ${name} is not known`, `one of ${Object.keys(profiles).join(', ')}`);
}

function count(invocation: Invocation, option: string, otherwise?: number): number {
  const text = textOption(invocation, option);
  if (text === undefined && otherwise !== undefined) return otherwise;
  const value = Number(text);
  if (text !== undefined && Number.isSafeInteger(value) && value > 0) return value;
  throw usage(`--${option} needs a whole number above 0, got ${text ?? 'nothing'}`, form);
}

function given(invocation: Invocation, option: string, key: string): Record<string, number> {
  const text = textOption(invocation, option);
  if (text === undefined) return {};
  const value = Number(text);
  if (value > 0 && value < Number.POSITIVE_INFINITY) return { [key]: value };
  throw usage(`--${option} needs a number above 0, got ${text}`, form);
}

function* lines(told: PrivacyForecast, cost: string): Iterable<string> {
  const { policy, steps, dimension, curve } = told;
  yield* privacyLines(privacyOf({ privacy: policy }));
  yield `noise     multiplier σ = ${policy.noiseMultiplier}, sample rate q = ${policy.sampleRate.toPrecision(4)}, ${steps} steps, ${dimension} values trained`;
  yield `in a step noise is ${told.noiseToSignalStep.toPrecision(3)} × the largest signal, over the study ${told.noiseToSignalStudy.toPrecision(3)} ×`;
  yield `cost      ${cost}`;
  yield '';
  yield 'after round        ε (RDP, the gate)   ε (PLD, tighter)';
  for (const { round, rdp, pld } of curve) {
    yield `${String(round).padStart(11)} ${rdp.toFixed(3).padStart(24)} ${pld.toFixed(3).padStart(18)}`;
  }
}
