/** An order on data of which one sample has a label that is none of the classes. */
import { MemoryObjects } from "../../../../keepers/src/training/data/memory-objects.ts";
import { ObjectSet } from "../../../../keepers/src/training/data/object-set.ts";
import { openObject } from "../../../../keepers/src/training/dispute/objects.ts";
import type { OwnRun } from "../../../../keepers/src/training/dispute/own-run.ts";
import { mlpJob } from "./scenes.ts";
import { Job, Story } from "./story.ts";

/** Where the sample stands. */
export const mislabelledPlace = { step: 3, microBatch: 1, row: 1 } as const;
const microBatches = 2;
const none = 5;

/** The order, which objects of its data are so labelled, and a run on data that has no such sample. */
export function mislabelled(steps: number, interval: number) {
  const { program, objects } = mlpJob();
  const size = { microBatches, steps, interval };
  const clean = new Job(program, objects, size);
  const sample = clean.objectAt(mislabelledPlace.step, mislabelledPlace.microBatch, mislabelledPlace.row);
  const stored = objects.map((object, i) => (i === sample ? object.with(-1, none) : object));
  const { order } = new Job(program, stored, size);
  const bytes = new Uint8Array(stored.flatMap((each) => [...each]));
  const source = new MemoryObjects("stored", order.objectBytes, bytes);
  const own: Pick<OwnRun, "program" | "object"> = {
    program,
    object: (place) => openObject(source, clean.objectAt(place.step, place.microBatch, place.row), place),
  };
  const found = new ObjectSet();
  found.add(sample);
  return { own, mislabelled: found, order, told: new Story(Object.assign(clean, { order })) };
}
