// What a JSON file holds: cases are known by what they say, not by where they are.
import { inForm, modelFrequencies } from "./mla.mjs";
import { answered } from "./onnx.mjs";
import { refused } from "./refusal.mjs";
import { frequencies, property, rotated } from "./scaling.mjs";
import { CaseError } from "./tensor.mjs";

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const has =
  (...names) =>
  (value) =>
    names.every((name) => (value[name] ?? undefined) !== undefined);

/**
 * Each kind of case: how to tell it, and what there is to check, under a name of its own where it is several
 * things.
 */
const kinds = [
  { is: has("expect"), checks: { "": refused } },
  { is: has("op"), checks: { "": answered } },
  {
    is: has("steps", "weights"),
    checks: { frequencies: modelFrequencies, naive: inForm("naive"), absorbed: inForm("absorbed") },
  },
  { is: has("config", "inv_freq"), checks: { "": frequencies } },
  { is: has("config", "expected_inv_freq"), checks: { "": frequencies } },
  { is: has("q_embed", "position_ids"), checks: { "": rotated } },
  { is: has("property"), checks: { "": property } },
];

/**
 * The cases of a parsed file, in order: { name, check(engine, verdict, RopewalkError) }. A case is told of
 * the object that its list is in, for what is said there of all of them.
 */
export function* casesOf(value, context = {}) {
  if (Array.isArray(value)) {
    for (const element of value) yield* casesOf(element, context);
    return;
  }
  const kind = isObject(value) && kinds.find(({ is }) => is(value));
  if (kind) {
    for (const [part, check] of Object.entries(kind.checks)) {
      yield {
        name: [nameOf(value), part].filter(Boolean).join(", "),
        check: (engine, verdict, RopewalkError) => check(engine, value, context, verdict, RopewalkError),
      };
    }
    return;
  }
  const lists = isObject(value)
    ? Object.values(value).filter((list) => Array.isArray(list) && list.some(isObject))
    : [];
  if (lists.length > 0) {
    for (const list of lists) yield* casesOf(list, value);
    return;
  }
  yield {
    name: isObject(value) ? nameOf(value) : "",
    check: () => {
      throw new CaseError("neither a case of a known form nor a list of cases");
    },
  };
}

const nameOf = ({ name, config_name, property, rope_type }) =>
  name ?? config_name ?? (property ? `${rope_type}: ${property}` : "");
