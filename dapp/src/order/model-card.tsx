import { lazy, type ReactNode, Suspense, useState } from "react";
import { DropZone } from "../compute/drop-zone.tsx";
import { Failed } from "../compute/working.tsx";
import { Card } from "../ui/card.tsx";
import { Choice, Field, Fields } from "../ui/field.tsx";
import { Skeleton } from "../ui/states.tsx";
import { colourShape, takesImages } from "./colours.ts";
import type { CheckedForm, OrderForm, Problems } from "./form.ts";
import { LayoutChoice } from "./layout-choice.tsx";
import { MoreSettings } from "./more-settings.tsx";
import type { HeldModel } from "./own-model.tsx";
import type { OrderedDataset } from "./read-dataset.ts";

const OwnModel = lazy(() => import("./own-model.tsx"));

/** What a field of the form shows, and how it changes. */
export type FieldOf = (name: keyof OrderForm) => {
  value: string;
  onChange: (event: { target: { value: string } }) => void;
  problem: string | undefined;
};

type Props = {
  readonly form: OrderForm;
  readonly problems: Problems;
  readonly checked: CheckedForm | undefined;
  readonly dataset: OrderedDataset | undefined;
  readonly file: File | undefined;
  readonly change: (changes: Partial<OrderForm>) => void;
  readonly field: FieldOf;
  readonly onFile: (file: File) => void;
  readonly onStored: (held: HeldModel | undefined) => void;
};

const folded = ["microBatch", "momentum", "seed", "interval"] as const;

/** The second part of an order: a built-in model, or a file of the consumer's own, and how it is trained. */
export function ModelCard(props: Props): ReactNode {
  const { form, problems, checked, dataset, file, change, field, onFile, onStored } = props;
  const [unread, setUnread] = useState<unknown>();
  const colours = dataset && colourShape(dataset);
  return (
    <Card title="2. The model">
      <Fields>
        <Choice
          label="Model"
          value={form.model}
          onChange={(event) => change({ model: event.target.value as OrderForm["model"] })}
        >
          <option value="softmax-regression">Softmax regression</option>
          <option value="mlp">Layers of neurons (MLP)</option>
          <option value="lenet5">LeNet-5, for 28 × 28 images</option>
          <option value="residual-cnn">Residual convolutions, for images</option>
          <option value="onnx">
            {file === undefined ? "An ONNX file of your own" : `${file.name}, your own`}
          </option>
        </Choice>
        {form.model === "mlp" && (
          <Field label="Hidden layers" {...field("hidden")} hint="Sizes, with commas between" />
        )}
        {colours !== undefined && takesImages(form.model) && (
          <LayoutChoice shape={colours} value={form.layout} onChange={(layout) => change({ layout })} />
        )}
      </Fields>
      <Fields>
        <Field label="Steps" inputMode="numeric" {...field("steps")} />
        <Field label="Learning rate" inputMode="decimal" {...field("learningRate")} />
      </Fields>
      <MoreSettings hasProblem={folded.some((name) => problems[name] !== undefined)}>
        <Fields>
          <Choice
            label="Numbers"
            value={form.profile}
            onChange={(event) => change({ profile: event.target.value as OrderForm["profile"] })}
          >
            <option value="E8">8-bit integers</option>
            <option value="E16">16-bit integers</option>
          </Choice>
          <Field label="Samples in a step" inputMode="numeric" {...field("microBatch")} />
          <Field label="Momentum" inputMode="decimal" {...field("momentum")} />
          <Field
            label="Seed"
            inputMode="numeric"
            {...field("seed")}
            hint="The same seed gives the same model, bit by bit"
          />
          <Field
            label="Steps between two state roots"
            inputMode="numeric"
            {...field("interval")}
            hint="Fewer make checking finer"
          />
        </Fields>
      </MoreSettings>
      <DropZone
        accept=".onnx"
        onFailed={setUnread}
        onChosen={({ files }) => {
          setUnread(undefined);
          onFile(files[0]!.file);
          change({ model: "onnx" });
        }}
      >
        Or a model of your own: drop an ONNX file here, and it is compiled at once.
      </DropZone>
      {unread !== undefined && <Failed what="What was dropped could not be read" error={unread} />}
      {form.model === "onnx" && file !== undefined && dataset === undefined && (
        <p>Choose a dataset, and it is said here whether {file.name} can be trained on it.</p>
      )}
      {form.model === "onnx" && file !== undefined && dataset !== undefined && (
        <Suspense fallback={<Skeleton lines={2} />}>
          <OwnModel
            key={`${file.name} ${file.size} ${file.lastModified}`}
            {...{ file, dataset, onStored }}
            form={checked}
          />
        </Suspense>
      )}
    </Card>
  );
}
