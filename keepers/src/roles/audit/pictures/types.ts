import type { Topic } from "../claims.ts";

/** How something in a picture stands. */
export type Tone = "plain" | "good" | "bad" | "muted";

type Base<K extends string> = {
  readonly kind: K;
  /** Part of the report that it stands in. */
  readonly topic: Topic;
  readonly title: string;
  /** What it shows, for those who do not see it. */
  readonly description: string;
};

/** What came from what: boxes in columns, and arrows between them. */
export type LineagePicture = Base<"lineage"> & {
  readonly nodes: readonly {
    readonly id: string;
    readonly column: number;
    readonly label: string;
    readonly detail: string;
    readonly tone: Tone;
  }[];
  readonly arrows: readonly { readonly from: string; readonly to: string }[];
};

/** What happened, one below the other. */
export type TimelinePicture = Base<"timeline"> & {
  readonly moments: readonly {
    /** Second since 1970. */
    readonly at: bigint;
    readonly label: string;
    readonly tone: Tone;
    readonly transaction: string;
  }[];
};

/** Points over an axis; those of a run are joined. */
export type CurvePicture = Base<"curve"> & {
  /** Where the numbers come from. */
  readonly source: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly runs: readonly (readonly (readonly [x: number, y: number])[])[];
};

/** Who answered when. */
export type HealthPicture = Base<"health"> & {
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly label: string;
    readonly cells: readonly ("answered" | "missed" | "none")[];
  }[];
};

/** Who sat on a committee, and what each said. */
export type SeatsPicture = Base<"seats"> & {
  readonly threshold: number;
  readonly seats: readonly {
    readonly label: string;
    readonly detail: string;
    /** signed: it signed something, and nobody knows what. */
    readonly said: "agrees" | "differs" | "signed" | "nothing";
  }[];
};

/** How a dispute was narrowed: each level is a part of the one above. */
export type NarrowingPicture = Base<"narrowing"> & {
  readonly levels: readonly {
    /** "interval 12 of 24" */
    readonly label: string;
    /** Where the part lies, 0 to 1, and how wide it is. */
    readonly from: number;
    readonly width: number;
  }[];
  readonly verdict: { readonly label: string; readonly tone: Tone };
};

/** Who paid whom. */
export type MoneyPicture = Base<"money"> & {
  readonly flows: readonly {
    readonly from: string;
    readonly to: string;
    readonly amount: string;
    /** Share of the largest flow of its unit, 0 to 1. */
    readonly share: number;
    readonly label: string;
    readonly tone: Tone;
  }[];
};

export type Picture =
  | LineagePicture
  | TimelinePicture
  | CurvePicture
  | HealthPicture
  | SeatsPicture
  | NarrowingPicture
  | MoneyPicture;
