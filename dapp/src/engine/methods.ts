import type { Address, Hex } from "viem";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import type { ClaimKeys, PossessionClaim } from "../../../keepers/src/core/audit/claims.ts";
import type { Manifest } from "../../../keepers/src/core/dataset/manifest.ts";
import type { OpenedLeaf } from "../../../keepers/src/core/exact/result-files.ts";
import type { DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import type { PublishedOrder } from "../../../keepers/src/roles/jobs/published-program.ts";
import type { BundleFailure } from "../../../keepers/src/storage/client/fetch-bundles.ts";
import type { RejectedReceipt } from "../../../keepers/src/storage/client/place.ts";
import type { UploadFailure } from "../../../keepers/src/storage/client/put-upload.ts";
import type { OfferedTerms } from "../../../keepers/src/storage/client/terms.ts";
import type { KeptReceipt } from "../../../keepers/src/storage/client/upload.ts";
import type { SourceKind } from "../../../keepers/src/storage/readers/kinds.ts";
import type { CompileOptions, InputSpec } from "../../../keepers/src/training/compiler/options.ts";
import type { Evaluation } from "../../../keepers/src/training/evaluate/evaluate.ts";
import type { OrderChoice } from "../order/compose.ts";

/** A file of a folder, by its path below it; of a single file the path is its name. */
export type ChosenFile = { readonly path: string; readonly file: File };

export type EncodeInput = {
  readonly files: readonly ChosenFile[];
  /** Name of the folder; left out for a single file, which may have its labels beside it. */
  readonly folder?: string;
  /** How to read it; by default what the name says. */
  readonly kind?: SourceKind;
  /** Column of the label in a CSV file. */
  readonly label?: string | number;
  /** Bytes of an object, for folders and lines. */
  readonly objectSize?: number;
  readonly name?: string;
  readonly licence?: string;
  readonly description?: string;
  /** Data and all bundles of a segment; 8 and 11 by default. */
  readonly k?: number;
  readonly n?: number;
  readonly segmentObjects?: number;
};

/** A dataset that is ready to be stored; its bundles lie in the browser's own file system, on the shelf of this name. */
export type EncodedDataset = {
  readonly shelf: string;
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly manifestHash: Hex;
  readonly manifestCid: string;
  /** Bytes of each bundle. */
  readonly sizes: readonly number[];
  /** Bundles that an earlier run, which was interrupted, had already committed to. */
  readonly resumed: number;
};

export type UploadInput = Pick<EncodedDataset, "shelf" | "manifestBytes"> & {
  readonly owner: Address;
  /** What nodes are asked to sign for. */
  readonly terms: OfferedTerms;
  readonly deployment: Deployment;
  /** JSON-RPC endpoints of the chain. */
  readonly rpc: readonly string[];
  /** Receipts that the chain would not take: their bundles go to other operators. */
  readonly refused: readonly RejectedReceipt[];
};

/** A dataset that is placed, to be read back from those who hold it. */
export type ReadBackInput = Pick<UploadInput, "shelf" | "manifestBytes" | "deployment" | "rpc"> & {
  readonly datasetId: Hex;
};

/** What storage nodes have signed for. */
export type UploadedDataset = {
  readonly datasetId: Hex;
  readonly receipts: readonly KeptReceipt[];
  /** Operators that were asked in vain, and why. */
  readonly failures: readonly UploadFailure[];
  /** Bundles for which no operator was left. */
  readonly unplaced: readonly number[];
};

/** A model as it is given: one of the built-in ones, or a file. */
export type GivenModel =
  | { readonly kind: "built-in"; readonly name: string; readonly options: Record<string, number | number[]> }
  | { readonly kind: "onnx"; readonly file: Blob };

export type CompileInput = Omit<CompileOptions, "model" | "input"> & {
  readonly model: GivenModel;
  /** How samples lie in an object, or several ways to see them: the one with as many axes as the model takes is used. */
  readonly input: InputSpec | readonly InputSpec[];
  /** Bytes of an object of the dataset. */
  readonly objectBytes: number;
  /** Micro-batches of a step. */
  readonly microBatches: number;
};

/** Whether a model can be trained, and what that takes; or what stands in the way, and where. */
export type CompileVerdict =
  | {
      readonly accepted: true;
      readonly programRoot: Hex;
      readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
      readonly parameterCount: number;
      /** Nodes of the three tapes: micro-batch, reduction, optimiser. */
      readonly nodes: readonly [number, number, number];
      /** Terms that are multiplied and summed in one step. */
      readonly termsPerStep: number;
      /** Bytes that training takes, estimated, and bytes of the state. */
      readonly memoryBytes: number;
      readonly stateBytes: number;
    }
  | {
      readonly accepted: false;
      readonly reason: string;
      readonly next?: string;
      readonly node?: string;
      readonly operator?: string;
    };

/** What is ordered; `own`: the ONNX file of the consumer, and the dataset that holds it. */
export type DescribeOrderInput = OrderChoice & {
  readonly own?: { readonly file: Blob; readonly datasetId: Hex };
};

/** Objects by their root. */
export type HashedObjects = {
  readonly objectRoot: Hex;
  readonly objectCount: number;
  readonly objectSize: number;
};

/** The program of a job as it was published, with the file of its model where that is stored. */
export type GivenProgram = { readonly published: PublishedOrder; readonly onnx?: Blob };

/** The objects of a dataset: all of them, or those that are read with the hashes of all. */
export type GivenObjects =
  | { readonly kind: "all"; readonly bytes: Uint8Array }
  | {
      readonly kind: "proven";
      /** Hashes of all objects, 32 bytes each: their root is the order's. */
      readonly hashes: Uint8Array;
      /** Objects by their indices. */
      readonly objects: ReadonlyMap<number, Uint8Array>;
    };

export type OpenModelInput = GivenProgram & {
  /** The state as a result's file holds it. */
  readonly state: Uint8Array;
  /** Its root, where somebody stands for one. */
  readonly stateRoot?: Hex;
};

/** How samples are given to an open model. */
export type OpenModel = {
  readonly model: number;
  readonly stateRoot: Hex;
  readonly objectBytes: number;
  /** Shape of one sample, by its layout. */
  readonly shape: readonly number[];
  readonly layout: "flat" | "NHWC" | "NCHW";
  /** Pixels along a side, where a sample is one square grey image of bytes: then one can be drawn. */
  readonly side?: number;
  /** The raw number that stands for 1. */
  readonly fullScale: number;
  /** Outputs: classes, or values. */
  readonly outputs: number;
  /** Samples that the order keeps apart from training. */
  readonly validation: number;
};

export type EvaluateInput = {
  readonly model: number;
  /** The objects; those of its job for the model of a job that was fetched. */
  readonly objects?: Uint8Array;
  /** The samples kept apart (the objects are then those of the order), or all. */
  readonly samples: "validation" | "all";
};

export type Prediction = {
  /** The first largest output. */
  readonly found: number;
  /** Outputs exactly: mantissas · 2^exponent. */
  readonly mantissas: readonly number[];
  readonly exponent: number;
  /** softmax of the outputs. */
  readonly probabilities: readonly number[];
};

/** A sample that was kept apart from training: its bytes, and its class where it has one. */
export type Sample = { readonly pixels: Uint8Array; readonly label?: number };

export type VerifyInput = GivenProgram & {
  readonly interval: number;
  /** The opened state before the interval, as a result's file holds it. */
  readonly state: Uint8Array;
  readonly objects: GivenObjects;
  /** Leaves of the whole trace as they were opened, and the root that the provider committed to. */
  readonly leaves: readonly OpenedLeaf[];
  readonly traceRoot: Hex;
  /** The salt of the interval, where it was opened: then the witnesses are compared, too. */
  readonly salt?: Hex;
};

/** One thing that was compared. */
export type Check = {
  readonly name:
    | "program"
    | "objects"
    | "trace"
    | "known state"
    | "state before"
    | "state after"
    | "witnesses";
  readonly holds: boolean;
  /** What was done, in words. */
  readonly how: string;
  readonly claimed?: Hex;
  readonly found?: Hex;
};

/**
 * `right`: the interval gives what the trace says. `wrong`: it gives something else. `unusable`: what was handed over is not
 * what the order and the trace name, so that nothing can be said of the interval.
 */
export type IntervalVerdict = {
  readonly verdict: "right" | "wrong" | "unusable";
  readonly interval: number;
  readonly firstStep: number;
  readonly steps: number;
  readonly checks: readonly Check[];
  /** Witness commitments of its steps, as they were computed here. */
  readonly witnesses: readonly Hex[];
};

/** What an order names, and where it is to be had. */
export type OrderedInput = {
  /** Address of an IPFS gateway. */
  readonly gateway: string;
  readonly published: PublishedOrder;
  /** CIDs of the manifests: of the data, and of the model where it is stored. */
  readonly dataset: string;
  readonly model?: string;
};

export type FetchJobInput = OrderedInput & {
  /** CID of the manifest of the stored result. */
  readonly result: string;
  /** What the provider committed to. */
  readonly traceRoot: Hex;
  readonly stateRoot: Hex;
};

/** A training whose states can be scored. */
export type OpenCurve = {
  readonly curve: number;
  readonly steps: number;
  /** Samples that each state is scored on: of those kept apart, and of those trained on. */
  readonly keptApart: number;
  readonly trainedOn: number;
};

export type ScoreStatesInput = {
  readonly curve: number;
  /** The first state, which the order's seed gives; or what a provider stored when it committed to its steps up to there. */
  readonly of:
    | { readonly kind: "first" }
    | {
        readonly kind: "stored";
        readonly gateway: string;
        /** CID of the manifest. */
        readonly result: string;
        readonly steps: number;
        readonly traceRoot: Hex;
      };
};

/** A state of a training, and what it reaches. */
export type ScoredState = {
  readonly step: number;
  readonly stateRoot: Hex;
  readonly keptApart?: Score;
  readonly trainedOn: Score;
};

export type Score = { readonly loss: number; readonly accuracy?: number };

/** The states of a stored result that were scored, and those that are stored otherwise than they were committed to. */
export type ScoredStates = {
  readonly states: readonly ScoredState[];
  /** What does not hold, in words. */
  readonly wrong: readonly string[];
};

/** A job that was fetched: its intervals can be computed again, its model can be asked. */
export type FetchedJob = {
  readonly job: number;
  readonly steps: number;
  readonly intervals: number;
  readonly stepsPerInterval: number;
  readonly objects: number;
  readonly checks: readonly Check[];
  /** Whether the trace is stored and is the committed one. */
  readonly hasLeaves: boolean;
  /** Leaves whose states are stored, the first one among them. */
  readonly known: readonly number[];
  /** The model, where the stored state is the committed one. */
  readonly model?: OpenModel;
};

/** Proofs of possession with what they are claimed for, and the keys of their circuits. */
export type VerifyProofsInput = {
  readonly keys: ClaimKeys;
  readonly claims: readonly Pick<PossessionClaim, "kind" | "claim">[];
};

/** What the worker computes. */
export type Engines = {
  encodeDataset: { input: EncodeInput; output: EncodedDataset };
  uploadDataset: { input: UploadInput; output: UploadedDataset };
  /** Gives the bundles that could not be read. */
  readBackDataset: { input: ReadBackInput; output: readonly BundleFailure[] };
  compileModel: { input: CompileInput; output: CompileVerdict };
  describeOrder: { input: DescribeOrderInput; output: DescribedOrder };
  hashObjects: { input: EncodeInput; output: HashedObjects };
  openModel: { input: OpenModelInput; output: OpenModel };
  evaluate: { input: EvaluateInput; output: Evaluation };
  predict: { input: { readonly model: number; readonly pixels: Uint8Array }; output: Prediction };
  readSample: { input: { readonly model: number; readonly sample: number }; output: Sample };
  exportModel: { input: { readonly model: number }; output: Uint8Array };
  closeModel: { input: { readonly model: number }; output: undefined };
  verifyInterval: { input: VerifyInput; output: IntervalVerdict };
  fetchJob: { input: FetchJobInput; output: FetchedJob };
  openCurve: { input: OrderedInput; output: OpenCurve };
  scoreStates: { input: ScoreStatesInput; output: ScoredStates };
  /** Gives the positions of those that do not hold. */
  verifyProofs: { input: VerifyProofsInput; output: readonly number[] };
  verifyJob: { input: { readonly job: number; readonly interval: number }; output: IntervalVerdict };
};

export type Method = keyof Engines;
