/** Fonts of all that stands on a page: without them it would be set twice, and be pushed about the second time. */
const fonts = /-latin-wght-normal-.*\.woff2$/;

/**
 * Has the pages ask at once for what is otherwise asked for late: their fonts, when text is set; and, `index.html` alone,
 * the code of these modules, when its own has run: those that the first chapter is drawn with.
 */
export function preloadPlugin(modules) {
  return {
    name: "ropewalk-preload",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle, filename }) {
        if (bundle === undefined) return [];
        const link = (name, attributes) => ({
          tag: "link",
          attrs: { ...attributes, crossorigin: true, href: `./${name}` },
          injectTo: "head",
        });
        const wanted = filename.endsWith("/index.html") ? codeOf(modules, bundle) : [];
        return [
          ...Object.keys(bundle)
            .filter((name) => fonts.test(name))
            .map((name) => link(name, { rel: "preload", as: "font", type: "font/woff2" })),
          ...wanted
            .filter((name) => !html.includes(name))
            .map((name) => link(name, { rel: "modulepreload" })),
        ];
      },
    },
  };
}

/** The files that these modules are in, and those that they import. */
function codeOf(modules, bundle) {
  const files = new Set();
  const add = (name) => {
    if (files.has(name)) return;
    files.add(name);
    for (const imported of bundle[name].imports) add(imported);
  };
  for (const module of modules) {
    const chunk = Object.values(bundle).find(({ facadeModuleId }) => facadeModuleId?.endsWith(module));
    if (chunk === undefined) throw new Error(`No file of the page begins with ${module}.`);
    add(chunk.fileName);
  }
  return [...files];
}
