import { useEffect, useRef, useState } from "react";
import type { Evaluation } from "../../../keepers/src/training/evaluate/evaluate.ts";
import type { OpenModel, Prediction } from "../engine/methods.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import styles from "./compute.module.css";
import { DrawingPad } from "./drawing-pad.tsx";
import { theEngine } from "./engine.ts";
import { rasterise } from "./raster.ts";
import { saveFile } from "./save-file.ts";
import { useRun } from "./use-run.ts";
import { Failed, Working } from "./working.tsx";

type Asked = { readonly pixels: Uint8Array; readonly prediction: Prediction; readonly label?: number };

/** The model of a job in the visitor's own browser: scored on what training did not see, and asked about a drawing. */
export function AskModel({ model }: { model: OpenModel }) {
  return (
    <Card title="Ask the model">
      <p>
        The trained model runs in your browser, in the same exact integers it was trained in. Its weights have
        the root that the provider committed to.
      </p>
      <Download model={model} />
      {model.validation > 0 && <Score model={model} />}
      {model.side !== undefined && <Draw model={model} side={model.side} />}
    </Card>
  );
}

function Download({ model: { model, stateRoot } }: { model: OpenModel }) {
  const { run, start } = useRun<undefined>();
  const download = () =>
    start(async (options) => {
      const bytes = await theEngine().call("exportModel", { model }, options);
      saveFile(bytes, `model-${stateRoot.slice(2, 10)}.onnx`);
      return undefined;
    });
  return (
    <>
      <div className={styles.row}>
        <Button onClick={download}>Download it as ONNX</Button>
      </div>
      {run.state === "failed" && <Failed what="The model could not be written" error={run.error} />}
    </>
  );
}

function Score({ model: { model, validation } }: { model: OpenModel }) {
  const { run, start, cancel } = useRun<Evaluation>();
  const score = () =>
    start((options) => theEngine().call("evaluate", { model, samples: "validation" }, options));
  if (run.state === "running") return <Working progress={run.progress} cancel={cancel} />;
  if (run.state === "failed")
    return <Failed what="The model could not be scored" error={run.error} retry={score} />;
  if (run.state === "done") {
    const { samples, accuracy, loss } = run.output;
    return (
      <Facts>
        {accuracy !== undefined && (
          <Fact name="Right">
            {(100 * accuracy).toFixed(2)} % of {samples.toLocaleString("en")} samples that training did not
            see
          </Fact>
        )}
        <Fact name="Mean loss">{loss.toFixed(4)}</Fact>
      </Facts>
    );
  }
  return (
    <div className={styles.row}>
      <Button onClick={score}>
        Score it on {validation.toLocaleString("en")} samples that were kept apart
      </Button>
    </div>
  );
}

function Draw({ model: { model, fullScale, validation }, side }: { model: OpenModel; side: number }) {
  const { run, start, cancel } = useRun<Asked>();
  const [sample, setSample] = useState("0");
  const ask = (pixels: Uint8Array, label?: number) =>
    start(async (options) => ({
      pixels,
      label,
      prediction: await theEngine().call("predict", { model, pixels }, options),
    }));
  const take = () =>
    start(async (options) => {
      const engine = theEngine();
      const { pixels, label } = await engine.call("readSample", { model, sample: Number(sample) }, options);
      return { pixels, label, prediction: await engine.call("predict", { model, pixels }, options) };
    });
  return (
    <div className={styles.ask}>
      <div className={styles.pad}>
        <DrawingPad
          onClear={cancel}
          onDrawn={(drawing) => {
            const pixels = rasterise(drawing, side, fullScale);
            if (pixels !== undefined) ask(pixels);
          }}
        />
        {validation > 0 && (
          <form
            className={styles.row}
            onSubmit={(event) => {
              event.preventDefault();
              take();
            }}
          >
            <Field
              label="Or take a sample that was kept apart"
              type="number"
              min={0}
              max={validation - 1}
              required
              value={sample}
              onChange={({ target }) => setSample(target.value)}
            />
            <Button type="submit">Take it</Button>
          </form>
        )}
      </div>
      <div aria-live="polite">
        {run.state === "failed" && <Failed what="The model could not be asked" error={run.error} />}
        {run.state === "running" && <p>Computing…</p>}
        {run.state === "done" && <Answer {...run.output} side={side} fullScale={fullScale} />}
      </div>
    </div>
  );
}

function Answer({
  pixels,
  prediction: { found, probabilities },
  label,
  side,
  fullScale,
}: Asked & { side: number; fullScale: number }) {
  return (
    <div className={styles.pad}>
      <div className={styles.row}>
        <Seen pixels={pixels} side={side} fullScale={fullScale} />
        <p>
          The model says <strong>{found}</strong>
          {label !== undefined && (found === label ? ", and that is right" : `; it is ${label}`)}.
        </p>
      </div>
      <dl className={styles.classes}>
        {probabilities.map((probability, k) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a class is its number
          <div key={k} className={`${styles["row-of-class"]} ${k === found ? styles.found : ""}`}>
            <dt>{k}</dt>
            <dd>
              <meter className={styles.meter} value={probability} aria-label={`${k}`} />
            </dd>
            <dd>{(100 * probability).toFixed(1)} %</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** The sample as the model sees it. */
function Seen({ pixels, side, fullScale }: { pixels: Uint8Array; side: number; fullScale: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (context == null) return;
    const image = context.createImageData(side, side);
    const [red, green, blue] = inkOf(canvas.current!);
    for (const [i, pixel] of pixels.entries())
      image.data.set([red, green, blue, (255 * pixel) / fullScale], 4 * i);
    context.putImageData(image, 0, 0);
  }, [pixels, side, fullScale]);
  return (
    <canvas
      ref={canvas}
      width={side}
      height={side}
      className={styles.seen}
      role="img"
      aria-label={`What the model sees: ${side} by ${side} pixels`}
    />
  );
}

/** The colour of text, as numbers. */
function inkOf(element: Element): readonly [number, number, number] {
  const [red = 0, green = 0, blue = 0] =
    getComputedStyle(element)
      .color.match(/[\d.]+/g)
      ?.map(Number) ?? [];
  return [red, green, blue];
}
