// What every page does for who has signed in. More comes with the modules beside this one.
import "./calls.js";
