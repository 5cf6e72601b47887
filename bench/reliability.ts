import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { lossProbability } from "../keepers/src/core/reliability/loss.ts";
import { type SimulatedLoss, simulateLoss } from "../keepers/src/core/reliability/simulate.ts";
import { type Curve, plotReliability } from "./reliability-plot.ts";

type Row = {
  name: string;
  value: number;
  unit: string;
  peer: string;
  peerValue: number;
  ratio: number;
  note?: string;
};

type Code = { k: number; n: number };

const replication: Code = { k: 1, n: 3 };
const codes: readonly Code[] = [
  { k: 8, n: 11 },
  { k: 8, n: 16 },
  { k: 8, n: 24 },
];
const failures = [0.001, 0.01, 0.05, 0.1, 0.2];

/**
 * Probability that a segment is lost against the probability that a node fails before repair: by formula and by
 * simulation, next to three whole copies on three nodes at the same failure probability. Fails when they disagree.
 */
export async function run(report: (row: Row) => void, { quick }: { quick: boolean }): Promise<void> {
  const trials = quick ? 20_000 : 200_000;
  for (const code of codes) {
    for (const failure of failures) {
      const { exact, simulated } = both(code, failure, trials);
      const peer = both(replication, failure, trials).exact;
      report({
        name: `(${code.k}, ${code.n}) stores ${code.n / code.k}×, node fails with p = ${failure}`,
        value: exact,
        unit: "probability of loss",
        peer: "triple replication, stores 3×",
        peerValue: peer,
        ratio: exact / peer,
        note: `lower is better; simulated ${simulated.low.toExponential(2)} … ${simulated.high.toExponential(2)} (99.9 %, ${trials.toLocaleString("en")} trials)`,
      });
    }
  }
  if (quick) return;
  const curves = [replication, ...codes].map((code) => curveOf(code, trials));
  const images = new URL("../docs/images/", import.meta.url);
  mkdirSync(images, { recursive: true });
  writeFileSync(fileURLToPath(new URL("reliability.svg", images)), plotReliability(curves));
}

/** Formula and simulation; throws when the formula lies outside the simulation's interval. */
function both(code: Code, failure: number, trials: number): { exact: number; simulated: SimulatedLoss } {
  const exact = lossProbability({ ...code, failure });
  const simulated = simulateLoss({ ...code, failure, trials, seed: code.n * 1000 + failure * 1000 });
  if (exact < simulated.low || exact > simulated.high) {
    throw new Error(
      `(${code.k}, ${code.n}) at p = ${failure}: formula ${exact}, simulation ${simulated.low} … ${simulated.high}`,
    );
  }
  return { exact, simulated };
}

function curveOf(code: Code, trials: number): Curve {
  const { k, n } = code;
  const points: [number, number][] = [];
  for (let decade = -3; decade <= -0.3; decade += 0.05) {
    const failure = 10 ** decade;
    points.push([failure, lossProbability({ k, n, failure })]);
  }
  return {
    label: k === 1 ? "3 copies, 3×" : `(${k}, ${n}), ${n / k}×`,
    dashed: k === 1,
    points,
    simulated: failures.map((failure) => [failure, both(code, failure, trials).simulated]),
  };
}
