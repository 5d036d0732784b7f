// Chapters are Markdown, and become part of the page when it is built: what is there to read needs no script.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import MarkdownIt from "markdown-it";
import container from "markdown-it-container";
import temml from "temml";
import { parse } from "yaml";

/** Where the chapters of a language are, and what stands around them. */
const folder = (language) => new URL(`chapters/${language}/`, import.meta.url).pathname;
const wordsOf = (language) => parse(readFileSync(join(folder(language), "words.yaml"), "utf8"));

/**
 * All chapters of a language, in order of their files' names. A file begins with its fields, between two lines of `---`:
 * `id` as in addresses, `name` for the lane, `title` (the question), `lead` (one sentence), and `time` where the
 * lecture's notes name one.
 */
export function chapters(language) {
  const md = markdown(wordsOf(language));
  return (
    readdirSync(folder(language))
      // A chapter's file begins with its number; beside them are the lecture's notes.
      .filter((file) => /^\d+_.*\.md$/.test(file))
      .sort()
      .map((file) => {
        const text = readFileSync(join(folder(language), file), "utf8");
        const [, fields, body] = /^---\n(.*?)\n---\n(.*)$/s.exec(text) ?? [];
        if (fields === undefined) throw new Error(`${file} does not begin with its fields.`);
        const { id, name, title, lead, time } = parse(fields);
        for (const [field, value] of Object.entries({ id, name, title, lead }))
          if (typeof value !== "string") throw new Error(`${file} has no ${field}.`);
        return { id, name, title, time, lead: md.renderInline(lead), ...rendered(md, body, file) };
      })
  );
}

/**
 * `$…$` and lines between two of `$$` are mathematics; what stands in the margin are containers: `::: try`,
 * `::: is-it-so`, `::: at 15:00`; the rest is Markdown.
 */
function markdown(words) {
  const md = new MarkdownIt({ html: true, typographer: false });
  for (const name of ["try", "is-it-so", "at"]) {
    md.use(container, name, {
      render: (tokens, index) => {
        const { nesting, info } = tokens[index];
        const rest = info.trim().slice(name.length).trim();
        return nesting === 1
          ? `<section class="${name}"><h2>${md.utils.escapeHtml(words[name] ?? rest)}</h2>\n`
          : "</section>\n";
      },
    });
  }
  md.inline.ruler.after("escape", "math", (state, silent) => {
    const end = /^\$([^$\s](?:[^$]*[^$\s])?)\$/.exec(state.src.slice(state.pos));
    if (end === null) return false;
    if (!silent) state.push("math", "", 0).content = end[1];
    state.pos += end[0].length;
    return true;
  });
  md.block.ruler.before("fence", "formula", (state, startLine, endLine, silent) => {
    const line = (n) => state.src.slice(state.bMarks[n] + state.tShift[n], state.eMarks[n]);
    if (line(startLine) !== "$$") return false;
    let last = startLine + 1;
    while (last < endLine && line(last) !== "$$") ++last;
    if (last >= endLine) return false;
    if (!silent) {
      state.push("formula", "", 0).content = state.getLines(startLine + 1, last, state.blkIndent, false);
      state.line = last + 1;
    }
    return true;
  });
  // An element alone in its paragraph is no paragraph; what can be taken along from an instrument is beneath it.
  md.core.ruler.push("elements", ({ tokens }) => {
    tokens.forEach(({ type, level, children }, i) => {
      if (type !== "inline" || !children.every((child) => child.type === "html_inline")) return;
      if (tokens[i - 1].type !== "paragraph_open") return;
      tokens[i - 1].hidden = tokens[i + 1].hidden = true;
      const [first] = children;
      if (level > 1 || !first.content.startsWith("<ropewalk-")) return;
      first.content = `<figure class="instrument">${first.content}`;
      children.at(-1).content += "<companion-tools></companion-tools></figure>\n";
    });
  });
  md.renderer.rules.math = (tokens, index) => mathml(tokens[index].content, false);
  // What stands side by side on a wide page stands one below the other on a narrow one.
  md.renderer.rules.formula = (tokens, index) => {
    const parts = tokens[index].content.split("\\qquad").map((part) => mathml(part, true));
    return `<p class="formula">${parts.join("\n")}</p>\n`;
  };
  return md;
}

/** TeX as MathML. `\class{query}{q}` gives a symbol the looks that the query has in the pictures. */
function mathml(tex, displayMode) {
  const html = temml.renderToString(tex.trim(), {
    displayMode,
    throwOnError: true,
    trust: true,
    annotate: false,
  });
  // The policy allows no style within the page; what it would say is in style.css.
  return html.replace(/ style="[^"]*"/g, "");
}

/** The margin apart from the rest, as it stands beside it. */
function rendered(md, text, file) {
  const tokens = md.parse(text, {});
  const margin = [];
  const body = [];
  let into = body;
  for (const token of tokens) {
    const opens = /^container_(.+)_open$/.test(token.type);
    if (opens && token.level === 0) into = margin;
    into.push(token);
    if (/^container_(.+)_close$/.test(token.type) && token.level === 0) into = body;
  }
  const render = (part) => md.renderer.render(part, md.options, {});
  const html = { body: render(body), margin: render(margin) };
  if (/\sstyle=|<script|\son\w+=/i.test(html.body + html.margin))
    throw new Error(`${file} has a style or script within, which the page's policy forbids.`);
  return html;
}

const { escapeHtml } = new MarkdownIt().utils;

/** The lane, with a knot for each chapter. */
function lane(all) {
  const knots = all.map(
    ({ id, name, time }) =>
      `<li><a href="#${id}"><span>${escapeHtml(name)}</span>${time === undefined ? "" : `<time>${escapeHtml(time)}</time>`}</a></li>`,
  );
  return `<ol>${knots.join("")}</ol>`;
}

/** Each chapter as an article; one is shown at a time, the first to begin with. */
function articles(all, words) {
  return all
    .map(({ id, title, lead, body, margin }, index) => {
      const way = (step, rel, word) => {
        const other = all[index + step];
        return other === undefined
          ? ""
          : `<a rel="${rel}" href="#${other.id}"><small>${word}</small> ${escapeHtml(other.title)}</a>`;
      };
      return `<article class="chapter" id="${id}" aria-labelledby="${id}-title"${index === 0 ? "" : " hidden"}>
<header><h1 id="${id}-title" tabindex="-1">${escapeHtml(title)}</h1>
<p class="lead">${lead}</p></header>
<aside aria-label="${words.margin}">${margin}</aside>
<div class="body">${body}</div>
${id === "notes" ? "" : "<companion-composer></companion-composer>"}
<nav class="onwards" aria-label="${words.onwards}">${way(-1, "prev", words.before)}${way(1, "next", words.next)}</nav>
</article>`;
    })
    .join("\n");
}

/** Puts lane and chapters into every page that asks for those of a language: `<!-- lane en -->`, `<!-- chapters en -->`. */
export function chaptersPlugin() {
  return {
    name: "ropewalk-chapters",
    transformIndexHtml: {
      order: "pre",
      handler: (html) =>
        html
          .replace(/<!-- lane (\w+) -->/g, (_, language) => lane(chapters(language)))
          .replace(/<!-- chapters (\w+) -->/g, (_, language) =>
            articles(chapters(language), wordsOf(language)),
          ),
    },
  };
}
