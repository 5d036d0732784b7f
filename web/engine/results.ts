/** The types of results that depend on what was asked for. */
import type { F32Tensor } from "./tensors.js";

/** A result that there is if it was asked for by `true`, or may be if that is not known. */
export type Asked<Outputs, Options, Name extends keyof Outputs & string> = Options extends {
  [N in Name]: infer Wish;
}
  ? [Wish] extends [true]
    ? Pick<Outputs, Name>
    : true extends Wish
      ? Partial<Pick<Outputs, Name>>
      : unknown
  : unknown;

/** A result that there is unless it went into a tensor of the caller's. */
export type Unless<Outputs, Options, Name extends keyof Outputs & string> = Options extends {
  [N in Name]: F32Tensor;
}
  ? unknown
  : Pick<Outputs, Name>;

// biome-ignore lint/suspicious/noConfusingVoidType: it is what a method returns, of which void is the plain word.
export type Flat<T> = keyof T extends never ? void : { [Name in keyof T]: T[Name] };
