import type { EpochMetrics, StepMetrics } from "../trainer/metrics.ts";
import { chart, type Series, svgDocument } from "./chart.ts";

export type ReportParameters = {
  readonly name: string;
  readonly stepsPerEpoch: number;
  readonly chunks: readonly StepMetrics[];
  readonly epochs: readonly EpochMetrics[];
};

/** Loss and accuracy over the epochs of a run as a self-contained SVG document. */
export function trainingReport({ name, stepsPerEpoch, chunks, epochs }: ReportParameters): string {
  const loss: Series[] = [
    {
      name: "training",
      points: chunks.map(({ step, samples, lossSum }) => [step / stepsPerEpoch, lossSum / samples]),
    },
  ];
  const validated = epochs.filter(({ validation }) => validation !== undefined);
  if (validated.length > 0) {
    loss.push({
      name: "validation",
      points: validated.map(({ step, validation }) => [step / stepsPerEpoch, validation!.loss]),
    });
  }
  const charts = [chart({ title: `${name}: loss`, xLabel: "epoch", yLabel: "mean loss", series: loss })];
  const rated = epochs.filter(({ training }) => training.accuracy !== undefined);
  if (rated.length > 0) {
    const accuracy: Series[] = [
      {
        name: "training",
        points: rated.map(({ step, training }) => [step / stepsPerEpoch, 100 * training.accuracy!]),
      },
    ];
    if (validated.length > 0) {
      accuracy.push({
        name: "validation",
        points: validated.map(({ step, validation }) => [
          step / stepsPerEpoch,
          100 * (validation!.accuracy ?? 0),
        ]),
      });
    }
    charts.push(
      chart({ title: `${name}: accuracy`, xLabel: "epoch", yLabel: "accuracy, %", series: accuracy }),
    );
  }
  return svgDocument(charts, `Training of ${name}, ${epochs.at(-1)?.epoch ?? 0} epochs`);
}
