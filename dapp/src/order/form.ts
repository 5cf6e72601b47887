import { z } from "zod";

/** What the visitor has chosen, as text fields hold it. */
export type OrderForm = {
  readonly datasetId: string;
  readonly model: "softmax-regression" | "mlp" | "lenet5" | "residual-cnn" | "onnx";
  readonly hidden: string;
  readonly classes: string;
  readonly scale: string;
  /** Where the colours of a pixel lie: together, or each in an image of its own. */
  readonly layout: "NHWC" | "NCHW";
  readonly profile: "E8" | "E16";
  readonly microBatch: string;
  readonly steps: string;
  readonly interval: string;
  readonly learningRate: string;
  readonly momentum: string;
  readonly seed: string;
  readonly share: string;
  readonly way: "auction" | "direct";
  readonly price: string;
  readonly committee: string;
  readonly threshold: string;
  readonly checkFee: string;
  readonly instalments: string;
  readonly trainingMinutes: string;
  readonly auctionMinutes: string;
  readonly expiryHours: string;
};

export const firstForm: OrderForm = {
  datasetId: "",
  model: "mlp",
  hidden: "32",
  classes: "10",
  scale: "4",
  layout: "NHWC",
  profile: "E8",
  microBatch: "32",
  steps: "264",
  interval: "11",
  learningRate: "0.1",
  momentum: "0.9",
  seed: "1",
  share: "4/5",
  way: "auction",
  price: "100",
  committee: "9",
  threshold: "5",
  checkFee: "1",
  instalments: "1",
  trainingMinutes: "60",
  auctionMinutes: "10",
  expiryHours: "2",
};

const whole = (low: number, high: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, "a whole number")
    .transform(Number)
    .refine((value) => value >= low && value <= high, `from ${low} to ${high}`);
const decimal = z.string().regex(/^\d{1,9}(\.\d{1,9})?$/, "a decimal number, as in 0.1");
const tokens = z.string().regex(/^\d{1,12}(\.\d{1,18})?$/, "an amount of tokens, as in 100 or 0.5");

/** What of it can be an order; the rest is for the compiler and the contracts to say. */
export const formSchema = z
  .object({
    datasetId: z.string().regex(/^0x[0-9a-f]{64}$/, "choose a dataset"),
    model: z.enum(["softmax-regression", "mlp", "lenet5", "residual-cnn", "onnx"]),
    hidden: z
      .string()
      .regex(/^\s*\d{1,5}(\s*,\s*\d{1,5}){0,15}\s*$/, "sizes with commas between, as in 64, 32")
      .transform((text) => text.split(",").map(Number)),
    classes: whole(2, 65_536),
    scale: whole(0, 31),
    layout: z.enum(["NHWC", "NCHW"]),
    profile: z.enum(["E8", "E16"]),
    microBatch: whole(1, 65_536).refine((value) => Number.isInteger(Math.log2(value)), "a power of two"),
    steps: whole(1, 4_000_000),
    interval: whole(1, 96),
    learningRate: decimal,
    momentum: decimal,
    seed: whole(1, 999_999_999),
    share: z.string().regex(/^\d{1,6}\/\d{1,6}$/, "a fraction, as in 4/5"),
    way: z.enum(["auction", "direct"]),
    price: tokens,
    committee: whole(0, 64),
    threshold: whole(0, 64),
    checkFee: tokens,
    instalments: whole(1, 16),
    trainingMinutes: whole(1, 500_000),
    auctionMinutes: whole(1, 10_000),
    expiryHours: whole(1, 8_760),
  })
  .refine(
    ({ committee, threshold }) => committee === 0 || (threshold > committee / 2 && threshold <= committee),
    {
      message: "more than half of the committee, and no more than all",
      path: ["threshold"],
    },
  )
  .refine(
    ({ expiryHours, auctionMinutes, way }) => way === "direct" || expiryHours * 60 > 2 * auctionMinutes,
    {
      message: "longer than both phases of the auction",
      path: ["expiryHours"],
    },
  );

export type CheckedForm = z.output<typeof formSchema>;

/** What is wrong with a form, by its fields. */
export type Problems = { readonly [F in keyof OrderForm]?: string };

export function checkForm(form: OrderForm): { form: CheckedForm } | { problems: Problems } {
  const parsed = formSchema.safeParse(form);
  if (parsed.success) return { form: parsed.data };
  const problems: Record<string, string> = {};
  for (const { path, message } of parsed.error.issues) problems[String(path[0])] ??= message;
  return { problems };
}
