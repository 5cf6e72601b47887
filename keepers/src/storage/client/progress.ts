/** Stages of the client's actions, as progress displays show them. */
export type Stage =
  | "encode"
  | "upload"
  | "anchor"
  | "place"
  | "manifest"
  | "proofs"
  | "download"
  | "decode"
  | "check"
  | "repair";

/** How far an action is; `total` is undefined while it is not known. */
export type ClientProgress = {
  stage: Stage;
  done: number;
  total?: number;
  unit: "objects" | "bytes" | "bundles" | "proofs" | "transactions";
};

export type OnProgress = (progress: ClientProgress) => void;
