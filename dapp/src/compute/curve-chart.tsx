import { CartesianGrid, Legend, Line, LineChart, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import styles from "./curves.module.css";

/** A step, and what the state after it reaches. */
export type Point = { readonly step: number; readonly keptApart?: number; readonly trainedOn: number };

type Props = {
  /** What is drawn, for its heading. */
  readonly title: string;
  readonly points: readonly Point[];
  /** Steps of the whole training. */
  readonly steps: number;
  /** Highest value, where there is one. */
  readonly most?: number;
  readonly format: (value: number) => string;
};

const axis = { stroke: "var(--line-strong)", tick: { fill: "var(--ink-soft)", fontSize: 12 } } as const;
const line = { isAnimationActive: false, strokeWidth: 2, connectNulls: true } as const;

/** Lines over the steps of a training. The same numbers stand in the table beside it. */
export default function CurveChart({ title, points, steps, most, format }: Props) {
  const hasKeptApart = points.some(({ keptApart }) => keptApart !== undefined);
  return (
    <figure className={styles.chart}>
      <figcaption>{title}</figcaption>
      <ResponsiveContainer width="100%" height={240}>
        <LineChart data={[...points]} margin={{ top: 8, right: 16, bottom: 4, left: 0 }} title={title}>
          <CartesianGrid stroke="var(--line)" vertical={false} />
          <XAxis
            {...axis}
            dataKey="step"
            type="number"
            domain={[0, steps]}
            tickCount={6}
            height={44}
            label={{ value: "Steps", position: "insideBottom", offset: 2, ...axis.tick }}
          />
          <YAxis
            {...axis}
            width={56}
            domain={most === undefined ? [0, "auto"] : [0, most]}
            tickFormatter={format}
          />
          <Tooltip
            formatter={(value) => format(Number(value))}
            labelFormatter={(step) => `Step ${step}`}
            contentStyle={{ background: "var(--surface)", borderColor: "var(--line)", color: "var(--ink)" }}
            itemStyle={{ color: "var(--ink)" }}
            isAnimationActive={false}
          />
          <Legend iconType="plainline" iconSize={28} wrapperStyle={{ fontSize: 13 }} />
          {hasKeptApart && (
            <Line
              {...line}
              dataKey="keptApart"
              name="Kept apart"
              stroke="var(--action)"
              dot={{ r: 4, fill: "var(--action)" }}
            />
          )}
          <Line
            {...line}
            dataKey="trainedOn"
            name="Trained on"
            stroke="var(--gold)"
            strokeDasharray="6 4"
            dot={{ r: 3, fill: "var(--gold)", strokeDasharray: "0" }}
          />
        </LineChart>
      </ResponsiveContainer>
    </figure>
  );
}
