// What scripts say, in the language of the page.
const language = document.documentElement.lang === "en" ? "en" : "fr";

export const words = (await import(`./words-${language}.js`)).default;
