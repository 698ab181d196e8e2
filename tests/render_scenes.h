// Small models for the renderer's tests, one a feature; included by test_render_features.c and
// slow_render_gl.c.
#pragma once

#define SCENE_HEAD                                                                                 \
    "<mujoco><statistic extent='2' center='0 0 .5'/><visual><headlight ambient='.4 .4 .4' "        \
    "diffuse='.6 .6 .6' specular='.1 .1 .1'/>"
#define SCENE_ASSETS                                                                               \
    "</visual><asset><texture name='sky' type='skybox' builtin='gradient' rgb1='.4 .6 .8' "        \
    "rgb2='0 0 0' width='64' height='64' mark='random' markrgb='1 1 1'/><texture name='grid' "     \
    "type='2d' builtin='checker' rgb1='.1 .2 .3' rgb2='.2 .3 .4' width='300' height='300' "        \
    "mark='edge' markrgb='.2 .3 .4'/><material name='grid' texture='grid' texrepeat='1 1' "        \
    "texuniform='true' reflectance='.2'/><material name='dull' rgba='.4 .5 .4 1'/><material "      \
    "name='shiny' rgba='.3 .3 .35 1' reflectance='.5'/><mesh name='ring' builtin='supertorus' "    \
    "params='24 .4 1 1' scale='.4 .4 .4'/><mesh name='ball' builtin='sphere' params='2' "          \
    "scale='.3 .3 .3'/><hfield name='hills' nrow='5' ncol='5' size='1 1 .5 .1' elevation='0 0 0 "  \
    "0 0  0 1 0 0 0  0 0 0 .7 0  0 .6 0 0 0  0 0 0 0 0'/></asset><worldbody>"
#define SCENE_SPOT  "<light pos='0 0 3' dir='0 0 -1' diffuse='.7 .7 .7'/>"
#define SCENE_EYE   "<camera name='eye' pos='0 -3 1.2' xyaxes='1 0 0 0 .3 1'/>"
#define SCENE_FLOOR "<geom name='floor' type='plane' size='4 4 .2' material='grid'/>"
#define SCENE_BODIES                                                                               \
    "<geom type='capsule' size='.1 .3' pos='-.6 0 .5' rgba='.8 .4 .2 1'/><geom type='sphere' "     \
    "size='.25' pos='0 .2 .6' rgba='.2 .8 .3 1'/><geom type='box' size='.2 .15 .3' pos='.6 0 .5' " \
    "euler='20 30 40' rgba='.3 .4 .9 1'/><geom type='cylinder' size='.12 .2' pos='.1 -.5 .3' "     \
    "rgba='.9 .9 .2 1'/><geom type='ellipsoid' size='.2 .1 .15' pos='-.2 -.4 .9' rgba='.9 .2 .6 "  \
    "1'/>"
#define SCENE_END "</worldbody></mujoco>"

struct scene {
    const char *name, *xml;
    int fog; // the scene's flag
};
static const struct scene scenes[] = {
    {"bodies", SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE SCENE_FLOOR SCENE_BODIES SCENE_END, 0},
    {"fog", SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE SCENE_FLOOR SCENE_BODIES SCENE_END, 1},
    {"haze",
     SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE
     "<geom name='floor' type='plane' size='0 0 .2' material='grid'/>" SCENE_BODIES SCENE_END,
     0},
    {"wide haze", // a near sky, which cuts the plane, and a wide ring around it
     SCENE_HEAD
     "<map haze='.5' zfar='10'/><rgba haze='.9 .5 .3 1'/>" SCENE_ASSETS SCENE_SPOT
     "<camera name='eye' pos='0 -6 4' xyaxes='1 0 0 0 .3 1'/>"
     "<geom name='floor' type='plane' size='0 0 1' material='dull'/>" SCENE_BODIES SCENE_END,
     0},
    {"foggy haze",
     SCENE_HEAD
     "<map fogstart='2' fogend='9'/><rgba fog='.7 .8 .6 1'/>" SCENE_ASSETS SCENE_SPOT SCENE_EYE
     "<geom name='floor' type='plane' size='0 0 .2' material='grid'/>" SCENE_BODIES SCENE_END,
     1},
    {"orthographic",
     SCENE_HEAD SCENE_ASSETS SCENE_SPOT
     "<camera name='eye' pos='0 -3 1.2' xyaxes='1 0 0 0 .3 1' fovy='2.5' "
     "projection='orthographic'/>" SCENE_FLOOR SCENE_BODIES
     "<geom type='mesh' mesh='ring' pos='.9 -.6 .9' euler='40 20 0'/>" SCENE_END,
     0},
    {"meshes",
     SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE SCENE_FLOOR SCENE_BODIES
     "<geom name='ring' type='mesh' mesh='ring' pos='.9 -.6 .9' euler='40 20 0'/>"
     "<geom type='mesh' mesh='ball' pos='-1.2 -.2 .4' rgba='.7 .3 .7 1'/>" SCENE_END,
     0},
    {"hills",
     SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE SCENE_FLOOR
     "<geom type='hfield' hfield='hills' pos='0 0 .1' rgba='.6 .5 .3 1'/>" SCENE_END,
     0},
    {"box mirror",
     SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE
     "<geom name='floor' type='plane' size='4 4 .2' material='dull'/><geom name='mirror' "
     "type='box' size='.8 .6 .1' pos='0 -.2 .1' euler='5 0 10' material='shiny'/>" SCENE_BODIES
         SCENE_END,
     0},
    {"transparent",
     SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE SCENE_FLOOR SCENE_BODIES
     "<geom type='box' size='.3 .05 .3' pos='.2 -.9 .4' rgba='.2 .8 .8 .4'/>" SCENE_END,
     0},
    {"flex",
     SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE SCENE_FLOOR
     "<flexcomp name='cloth' type='grid' dim='2' count='8 8 1' spacing='.12 .12 .1' pos='0 -.3 "
     "1.2' radius='.02' rgba='.8 .2 .2 1'><edge equality='true'/></flexcomp><flexcomp name='rope' "
     "type='grid' dim='1' count='9 1 1' spacing='.1 .1 .1' pos='-.2 -.6 .6' radius='.03' "
     "rgba='.2 .2 .8 1'><edge equality='true'/></flexcomp>" SCENE_END,
     0},
};
enum { SCENES = sizeof scenes / sizeof *scenes };
