// Compares a compiled model with the facts of suite/models/*.json, field by field. A fact that no
// table below knows is a failure, so nothing is skipped silently. Included by golden_suite.c only.
#pragma once

#include <jansson.h>
#include <math.h>
#include <mujoco/mujoco.h>
#include <stddef.h>
#include <string.h>

enum kind { KIND_DOUBLE, KIND_FLOAT, KIND_INT, KIND_LONG, KIND_BYTE, KIND_BOOL };
#define KIND_OF(x)                                                                                 \
    _Generic((x), double: KIND_DOUBLE, double *: KIND_DOUBLE, float: KIND_FLOAT,                   \
             float *: KIND_FLOAT, int: KIND_INT, int *: KIND_INT, mjtSize: KIND_LONG,              \
             mjtSize *: KIND_LONG, mjtByte: KIND_BYTE, mjtByte *: KIND_BYTE, mjtBool: KIND_BOOL,   \
             mjtBool *: KIND_BOOL)

struct field {
    const char *key;
    size_t offset; // in mjModel: of a pointer to the array, or of the number itself
    int width;     // numbers an element
    enum kind kind;
    bool embedded;
};
#define MODEL_AT(field) (((mjModel *)0)->field)
#define ARRAY(key, field, width)                                                                   \
    { key, offsetof(mjModel, field), width, KIND_OF(MODEL_AT(field)), false }
#define EMBEDDED(key, field)                                                                       \
    { key, offsetof(mjModel, field), 0, KIND_OF(MODEL_AT(field)), true }

// clang-format off
static const struct field bodies_fields[] = {
    ARRAY("conaffinity", body_conaffinity, 1),
    ARRAY("contype", body_contype, 1),
    ARRAY("dofadr", body_dofadr, 1),
    ARRAY("geomadr", body_geomadr, 1),
    ARRAY("geomnum", body_geomnum, 1),
    ARRAY("gravcomp", body_gravcomp, 1),
    ARRAY("inertia", body_inertia, 3),
    ARRAY("invweight0", body_invweight0, 2),
    ARRAY("ipos", body_ipos, 3),
    ARRAY("iquat", body_iquat, 4),
    ARRAY("jntadr", body_jntadr, 1),
    ARRAY("jntnum", body_jntnum, 1),
    ARRAY("margin", body_margin, 1),
    ARRAY("mass", body_mass, 1),
    ARRAY("mocapid", body_mocapid, 1),
    ARRAY("parentid", body_parentid, 1),
    ARRAY("pos", body_pos, 3),
    ARRAY("quat", body_quat, 4),
    ARRAY("rootid", body_rootid, 1),
    ARRAY("simple", body_simple, 1),
    ARRAY("subtreemass", body_subtreemass, 1),
    ARRAY("treeid", body_treeid, 1),
    ARRAY("weldid", body_weldid, 1),
    {0},
};
static const struct field joints_fields[] = {
    ARRAY("actfrclimited", jnt_actfrclimited, 1),
    ARRAY("actfrcrange", jnt_actfrcrange, 2),
    ARRAY("actgravcomp", jnt_actgravcomp, 1),
    ARRAY("actuatorid", jnt_actuatorid, 1),
    ARRAY("axis", jnt_axis, 3),
    ARRAY("bodyid", jnt_bodyid, 1),
    ARRAY("dofadr", jnt_dofadr, 1),
    ARRAY("group", jnt_group, 1),
    ARRAY("limited", jnt_limited, 1),
    ARRAY("margin", jnt_margin, 1),
    ARRAY("pos", jnt_pos, 3),
    ARRAY("qposadr", jnt_qposadr, 1),
    ARRAY("range", jnt_range, 2),
    ARRAY("solimp", jnt_solimp, 5),
    ARRAY("solref", jnt_solref, 2),
    ARRAY("stiffness", jnt_stiffness, 1),
    ARRAY("stiffnesspoly", jnt_stiffnesspoly, 2),
    ARRAY("type", jnt_type, 1),
    {0},
};
static const struct field geoms_fields[] = {
    ARRAY("adhesion", geom_adhesion, 1),
    ARRAY("bodyid", geom_bodyid, 1),
    ARRAY("conaffinity", geom_conaffinity, 1),
    ARRAY("condim", geom_condim, 1),
    ARRAY("contype", geom_contype, 1),
    ARRAY("fluid", geom_fluid, 12),
    ARRAY("friction", geom_friction, 3),
    ARRAY("gap", geom_gap, 1),
    ARRAY("group", geom_group, 1),
    ARRAY("margin", geom_margin, 1),
    ARRAY("matid", geom_matid, 1),
    ARRAY("pos", geom_pos, 3),
    ARRAY("priority", geom_priority, 1),
    ARRAY("quat", geom_quat, 4),
    ARRAY("rgba", geom_rgba, 4),
    ARRAY("size", geom_size, 3),
    ARRAY("solimp", geom_solimp, 5),
    ARRAY("solmix", geom_solmix, 1),
    ARRAY("solref", geom_solref, 2),
    ARRAY("surfacevel", geom_surfacevel, 6),
    ARRAY("type", geom_type, 1),
    {0},
};
static const struct field sites_fields[] = {
    ARRAY("bodyid", site_bodyid, 1),
    ARRAY("group", site_group, 1),
    ARRAY("matid", site_matid, 1),
    ARRAY("pos", site_pos, 3),
    ARRAY("quat", site_quat, 4),
    ARRAY("rgba", site_rgba, 4),
    ARRAY("size", site_size, 3),
    ARRAY("type", site_type, 1),
    {0},
};
static const struct field cameras_fields[] = {
    ARRAY("bodyid", cam_bodyid, 1),
    ARRAY("fovy", cam_fovy, 1),
    ARRAY("intrinsic", cam_intrinsic, 4),
    ARRAY("ipd", cam_ipd, 1),
    ARRAY("mat0", cam_mat0, 9),
    ARRAY("mode", cam_mode, 1),
    ARRAY("output", cam_output, 1),
    ARRAY("pos", cam_pos, 3),
    ARRAY("pos0", cam_pos0, 3),
    ARRAY("poscom0", cam_poscom0, 3),
    ARRAY("projection", cam_projection, 1),
    ARRAY("quat", cam_quat, 4),
    ARRAY("resolution", cam_resolution, 2),
    ARRAY("sensorsize", cam_sensorsize, 2),
    ARRAY("targetbodyid", cam_targetbodyid, 1),
    {0},
};
static const struct field lights_fields[] = {
    ARRAY("active", light_active, 1),
    ARRAY("ambient", light_ambient, 3),
    ARRAY("attenuation", light_attenuation, 3),
    ARRAY("bodyid", light_bodyid, 1),
    ARRAY("bulbradius", light_bulbradius, 1),
    ARRAY("castshadow", light_castshadow, 1),
    ARRAY("cutoff", light_cutoff, 1),
    ARRAY("diffuse", light_diffuse, 3),
    ARRAY("dir", light_dir, 3),
    ARRAY("dir0", light_dir0, 3),
    ARRAY("exponent", light_exponent, 1),
    ARRAY("intensity", light_intensity, 1),
    ARRAY("mode", light_mode, 1),
    ARRAY("pos", light_pos, 3),
    ARRAY("pos0", light_pos0, 3),
    ARRAY("poscom0", light_poscom0, 3),
    ARRAY("range", light_range, 1),
    ARRAY("softness", light_softness, 1),
    ARRAY("specular", light_specular, 3),
    ARRAY("targetbodyid", light_targetbodyid, 1),
    ARRAY("texid", light_texid, 1),
    ARRAY("type", light_type, 1),
    {0},
};
static const struct field materials_fields[] = {
    ARRAY("emission", mat_emission, 1),
    ARRAY("metallic", mat_metallic, 1),
    ARRAY("reflectance", mat_reflectance, 1),
    ARRAY("rgba", mat_rgba, 4),
    ARRAY("roughness", mat_roughness, 1),
    ARRAY("shininess", mat_shininess, 1),
    ARRAY("specular", mat_specular, 1),
    ARRAY("texid", mat_texid, 10),
    ARRAY("texrepeat", mat_texrepeat, 2),
    ARRAY("texuniform", mat_texuniform, 1),
    {0},
};
static const struct field textures_fields[] = {
    ARRAY("adr", tex_adr, 1),
    ARRAY("colorspace", tex_colorspace, 1),
    ARRAY("contenttypeadr", tex_contenttypeadr, 1),
    ARRAY("height", tex_height, 1),
    ARRAY("nchannel", tex_nchannel, 1),
    ARRAY("pathadr", tex_pathadr, 1),
    ARRAY("type", tex_type, 1),
    ARRAY("width", tex_width, 1),
    {0},
};
static const struct field actuators_fields[] = {
    ARRAY("acc0", actuator_acc0, 1),
    ARRAY("actadr", actuator_actadr, 1),
    ARRAY("actearly", actuator_actearly, 1),
    ARRAY("actlimited", actuator_actlimited, 1),
    ARRAY("actnum", actuator_actnum, 1),
    ARRAY("actrange", actuator_actrange, 2),
    ARRAY("armature", actuator_armature, 1),
    ARRAY("biasprm", actuator_biasprm, 10),
    ARRAY("biastype", actuator_biastype, 1),
    ARRAY("cranklength", actuator_cranklength, 1),
    ARRAY("ctrladr", actuator_ctrladr, 1),
    ARRAY("ctrllimited", actuator_ctrllimited, 1),
    ARRAY("ctrlnum", actuator_ctrlnum, 1),
    ARRAY("ctrlrange", actuator_ctrlrange, 2),
    ARRAY("ctrlspec", actuator_ctrlspec, 1),
    ARRAY("damping", actuator_damping, 1),
    ARRAY("dampingpoly", actuator_dampingpoly, 2),
    ARRAY("delay", actuator_delay, 1),
    ARRAY("dynprm", actuator_dynprm, 10),
    ARRAY("dyntype", actuator_dyntype, 1),
    ARRAY("forcelimited", actuator_forcelimited, 1),
    ARRAY("forcerange", actuator_forcerange, 2),
    ARRAY("gainprm", actuator_gainprm, 10),
    ARRAY("gaintype", actuator_gaintype, 1),
    ARRAY("gear", actuator_gear, 6),
    ARRAY("group", actuator_group, 1),
    ARRAY("length0", actuator_length0, 1),
    ARRAY("lengthrange", actuator_lengthrange, 2),
    ARRAY("outadr", actuator_outadr, 1),
    ARRAY("outnum", actuator_outnum, 1),
    ARRAY("trnid", actuator_trnid, 2),
    ARRAY("trntype", actuator_trntype, 1),
    {0},
};
static const struct field sensors_fields[] = {
    ARRAY("adr", sensor_adr, 1),
    ARRAY("cutoff", sensor_cutoff, 1),
    ARRAY("datatype", sensor_datatype, 1),
    ARRAY("delay", sensor_delay, 1),
    ARRAY("dim", sensor_dim, 1),
    ARRAY("interval", sensor_interval, 2),
    ARRAY("intprm", sensor_intprm, 3),
    ARRAY("needstage", sensor_needstage, 1),
    ARRAY("noise", sensor_noise, 1),
    ARRAY("objid", sensor_objid, 1),
    ARRAY("objtype", sensor_objtype, 1),
    ARRAY("refid", sensor_refid, 1),
    ARRAY("reftype", sensor_reftype, 1),
    ARRAY("type", sensor_type, 1),
    {0},
};
static const struct field dofs_fields[] = {
    ARRAY("joint", dof_jntid, 1),
    ARRAY("M0", dof_M0, 1),
    ARRAY("Madr", dof_Madr, 1),
    ARRAY("armature", dof_armature, 1),
    ARRAY("bodyid", dof_bodyid, 1),
    ARRAY("damping", dof_damping, 1),
    ARRAY("dampingpoly", dof_dampingpoly, 2),
    ARRAY("frictionloss", dof_frictionloss, 1),
    ARRAY("invweight0", dof_invweight0, 1),
    ARRAY("length", dof_length, 1),
    ARRAY("parentid", dof_parentid, 1),
    ARRAY("simplenum", dof_simplenum, 1),
    ARRAY("solimp", dof_solimp, 5),
    ARRAY("solref", dof_solref, 2),
    ARRAY("treeid", dof_treeid, 1),
    {0},
};
static const struct field tendons_fields[] = {
    ARRAY("actfrclimited", tendon_actfrclimited, 1),
    ARRAY("actfrcrange", tendon_actfrcrange, 2),
    ARRAY("actuatorid", tendon_actuatorid, 1),
    ARRAY("adr", tendon_adr, 1),
    ARRAY("armature", tendon_armature, 1),
    ARRAY("damping", tendon_damping, 1),
    ARRAY("dampingpoly", tendon_dampingpoly, 2),
    ARRAY("frictionloss", tendon_frictionloss, 1),
    ARRAY("group", tendon_group, 1),
    ARRAY("invweight0", tendon_invweight0, 1),
    ARRAY("length0", tendon_length0, 1),
    ARRAY("lengthspring", tendon_lengthspring, 2),
    ARRAY("limited", tendon_limited, 1),
    ARRAY("margin", tendon_margin, 1),
    ARRAY("matid", tendon_matid, 1),
    ARRAY("num", tendon_num, 1),
    ARRAY("range", tendon_range, 2),
    ARRAY("rgba", tendon_rgba, 4),
    ARRAY("solimp_fri", tendon_solimp_fri, 5),
    ARRAY("solimp_lim", tendon_solimp_lim, 5),
    ARRAY("solref_fri", tendon_solref_fri, 2),
    ARRAY("solref_lim", tendon_solref_lim, 2),
    ARRAY("stiffness", tendon_stiffness, 1),
    ARRAY("stiffnesspoly", tendon_stiffnesspoly, 2),
    ARRAY("treeid", tendon_treeid, 2),
    ARRAY("treenum", tendon_treenum, 1),
    ARRAY("width", tendon_width, 1),
    {0},
};
static const struct field wraps_fields[] = {
    ARRAY("type", wrap_type, 1),
    ARRAY("objid", wrap_objid, 1),
    ARRAY("prm", wrap_prm, 1),
    {0},
};
static const struct field equalities_fields[] = {
    ARRAY("active0", eq_active0, 1),
    ARRAY("obj1id", eq_obj1id, 1),
    ARRAY("obj2id", eq_obj2id, 1),
    ARRAY("objtype", eq_objtype, 1),
    ARRAY("solimp", eq_solimp, 5),
    ARRAY("solref", eq_solref, 2),
    ARRAY("type", eq_type, 1),
    {0},
};
static const struct field hfields_fields[] = {
    ARRAY("adr", hfield_adr, 1),
    ARRAY("ncol", hfield_ncol, 1),
    ARRAY("nrow", hfield_nrow, 1),
    ARRAY("pathadr", hfield_pathadr, 1),
    ARRAY("size", hfield_size, 4),
    {0},
};
static const struct field option_fields[] = {
    EMBEDDED("ccd_iterations", opt.ccd_iterations),
    EMBEDDED("ccd_tolerance", opt.ccd_tolerance),
    EMBEDDED("cone", opt.cone),
    EMBEDDED("density", opt.density),
    EMBEDDED("disableactuator", opt.disableactuator),
    EMBEDDED("disableflags", opt.disableflags),
    EMBEDDED("enableflags", opt.enableflags),
    EMBEDDED("gravity", opt.gravity),
    EMBEDDED("impratio", opt.impratio),
    EMBEDDED("integrator", opt.integrator),
    EMBEDDED("iterations", opt.iterations),
    EMBEDDED("jacobian", opt.jacobian),
    EMBEDDED("ls_iterations", opt.ls_iterations),
    EMBEDDED("ls_tolerance", opt.ls_tolerance),
    EMBEDDED("magnetic", opt.magnetic),
    EMBEDDED("noslip_iterations", opt.noslip_iterations),
    EMBEDDED("noslip_tolerance", opt.noslip_tolerance),
    EMBEDDED("o_friction", opt.o_friction),
    EMBEDDED("o_margin", opt.o_margin),
    EMBEDDED("o_solimp", opt.o_solimp),
    EMBEDDED("o_solref", opt.o_solref),
    EMBEDDED("sdf_initpoints", opt.sdf_initpoints),
    EMBEDDED("sdf_iterations", opt.sdf_iterations),
    EMBEDDED("sleep_tolerance", opt.sleep_tolerance),
    EMBEDDED("solver", opt.solver),
    EMBEDDED("timestep", opt.timestep),
    EMBEDDED("tolerance", opt.tolerance),
    EMBEDDED("viscosity", opt.viscosity),
    EMBEDDED("wind", opt.wind),
    {0},
};
static const struct field statistic_fields[] = {
    EMBEDDED("center", stat.center),
    EMBEDDED("extent", stat.extent),
    EMBEDDED("meaninertia", stat.meaninertia),
    EMBEDDED("meanmass", stat.meanmass),
    EMBEDDED("meansize", stat.meansize),
    {0},
};
static const struct field size_fields[] = {
    EMBEDDED("nq", nq),
    EMBEDDED("nv", nv),
    EMBEDDED("nu", nu),
    EMBEDDED("na", na),
    EMBEDDED("nbody", nbody),
    EMBEDDED("njnt", njnt),
    EMBEDDED("ngeom", ngeom),
    EMBEDDED("nsite", nsite),
    EMBEDDED("ncam", ncam),
    EMBEDDED("nlight", nlight),
    EMBEDDED("nmat", nmat),
    EMBEDDED("ntex", ntex),
    EMBEDDED("ntendon", ntendon),
    EMBEDDED("nwrap", nwrap),
    EMBEDDED("nsensor", nsensor),
    EMBEDDED("nsensordata", nsensordata),
    EMBEDDED("neq", neq),
    EMBEDDED("nkey", nkey),
    EMBEDDED("nmocap", nmocap),
    EMBEDDED("npair", npair),
    EMBEDDED("nexclude", nexclude),
    EMBEDDED("nhfield", nhfield),
    {0},
};
static const struct field visual_global_fields[] = {
    EMBEDDED("azimuth", vis.global.azimuth),
    EMBEDDED("bvactive", vis.global.bvactive),
    EMBEDDED("cameraid", vis.global.cameraid),
    EMBEDDED("elevation", vis.global.elevation),
    EMBEDDED("ellipsoidinertia", vis.global.ellipsoidinertia),
    EMBEDDED("fovy", vis.global.fovy),
    EMBEDDED("glow", vis.global.glow),
    EMBEDDED("ipd", vis.global.ipd),
    EMBEDDED("linewidth", vis.global.linewidth),
    EMBEDDED("offheight", vis.global.offheight),
    EMBEDDED("offwidth", vis.global.offwidth),
    EMBEDDED("orthographic", vis.global.orthographic),
    EMBEDDED("realtime", vis.global.realtime),
    {0},
};
static const struct field visual_headlight_fields[] = {
    EMBEDDED("active", vis.headlight.active),
    EMBEDDED("ambient", vis.headlight.ambient),
    EMBEDDED("diffuse", vis.headlight.diffuse),
    EMBEDDED("specular", vis.headlight.specular),
    {0},
};
static const struct field visual_map_fields[] = {
    EMBEDDED("actuatortendon", vis.map.actuatortendon),
    EMBEDDED("alpha", vis.map.alpha),
    EMBEDDED("fogend", vis.map.fogend),
    EMBEDDED("fogstart", vis.map.fogstart),
    EMBEDDED("force", vis.map.force),
    EMBEDDED("haze", vis.map.haze),
    EMBEDDED("shadowclip", vis.map.shadowclip),
    EMBEDDED("shadowscale", vis.map.shadowscale),
    EMBEDDED("stiffness", vis.map.stiffness),
    EMBEDDED("stiffnessrot", vis.map.stiffnessrot),
    EMBEDDED("torque", vis.map.torque),
    EMBEDDED("zfar", vis.map.zfar),
    EMBEDDED("znear", vis.map.znear),
    {0},
};
static const struct field visual_quality_fields[] = {
    EMBEDDED("numquads", vis.quality.numquads),
    EMBEDDED("numslices", vis.quality.numslices),
    EMBEDDED("numstacks", vis.quality.numstacks),
    EMBEDDED("offsamples", vis.quality.offsamples),
    EMBEDDED("shadowsize", vis.quality.shadowsize),
    {0},
};
static const struct field visual_rgba_fields[] = {
    EMBEDDED("actuator", vis.rgba.actuator),
    EMBEDDED("actuatornegative", vis.rgba.actuatornegative),
    EMBEDDED("actuatorpositive", vis.rgba.actuatorpositive),
    EMBEDDED("bv", vis.rgba.bv),
    EMBEDDED("bvactive", vis.rgba.bvactive),
    EMBEDDED("camera", vis.rgba.camera),
    EMBEDDED("com", vis.rgba.com),
    EMBEDDED("connect", vis.rgba.connect),
    EMBEDDED("constraint", vis.rgba.constraint),
    EMBEDDED("contactforce", vis.rgba.contactforce),
    EMBEDDED("contactfriction", vis.rgba.contactfriction),
    EMBEDDED("contactgap", vis.rgba.contactgap),
    EMBEDDED("contactpoint", vis.rgba.contactpoint),
    EMBEDDED("contacttorque", vis.rgba.contacttorque),
    EMBEDDED("crankbroken", vis.rgba.crankbroken),
    EMBEDDED("fog", vis.rgba.fog),
    EMBEDDED("force", vis.rgba.force),
    EMBEDDED("frustum", vis.rgba.frustum),
    EMBEDDED("haze", vis.rgba.haze),
    EMBEDDED("inertia", vis.rgba.inertia),
    EMBEDDED("joint", vis.rgba.joint),
    EMBEDDED("light", vis.rgba.light),
    EMBEDDED("rangefinder", vis.rgba.rangefinder),
    EMBEDDED("selectpoint", vis.rgba.selectpoint),
    EMBEDDED("slidercrank", vis.rgba.slidercrank),
    {0},
};
static const struct field visual_scale_fields[] = {
    EMBEDDED("actuatorlength", vis.scale.actuatorlength),
    EMBEDDED("actuatorwidth", vis.scale.actuatorwidth),
    EMBEDDED("camera", vis.scale.camera),
    EMBEDDED("com", vis.scale.com),
    EMBEDDED("connect", vis.scale.connect),
    EMBEDDED("constraint", vis.scale.constraint),
    EMBEDDED("contactheight", vis.scale.contactheight),
    EMBEDDED("contactwidth", vis.scale.contactwidth),
    EMBEDDED("forcewidth", vis.scale.forcewidth),
    EMBEDDED("framelength", vis.scale.framelength),
    EMBEDDED("framewidth", vis.scale.framewidth),
    EMBEDDED("frustum", vis.scale.frustum),
    EMBEDDED("jointlength", vis.scale.jointlength),
    EMBEDDED("jointwidth", vis.scale.jointwidth),
    EMBEDDED("light", vis.scale.light),
    EMBEDDED("selectpoint", vis.scale.selectpoint),
    EMBEDDED("slidercrank", vis.scale.slidercrank),
    {0},
};
// clang-format on

struct list {
    const char *key;
    mjtObj type; // to find an element by name; mjOBJ_UNKNOWN: by index
    size_t count_offset;
    const struct field *fields;
};
#define LIST(key, type, count)                                                                     \
    { #key, type, offsetof(mjModel, count), key##_fields }
static const struct list lists[] = {
    LIST(bodies, mjOBJ_BODY, nbody),       LIST(joints, mjOBJ_JOINT, njnt),
    LIST(geoms, mjOBJ_GEOM, ngeom),        LIST(sites, mjOBJ_SITE, nsite),
    LIST(cameras, mjOBJ_CAMERA, ncam),     LIST(lights, mjOBJ_LIGHT, nlight),
    LIST(materials, mjOBJ_MATERIAL, nmat), LIST(textures, mjOBJ_TEXTURE, ntex),
    LIST(actuators, mjOBJ_ACTUATOR, nu),   LIST(sensors, mjOBJ_SENSOR, nsensor),
    LIST(dofs, mjOBJ_UNKNOWN, nv),         LIST(tendons, mjOBJ_TENDON, ntendon),
    LIST(wraps, mjOBJ_UNKNOWN, nwrap),     LIST(equalities, mjOBJ_EQUALITY, neq),
    LIST(hfields, mjOBJ_HFIELD, nhfield),
};

// Words of the facts and the numbers they stand for. A word means the same wherever it appears,
// except those with a list of their own.
static const struct {
    const char *list, *word;
    int value;
} words[] = {
    {NULL, "mjCONE_PYRAMIDAL", mjCONE_PYRAMIDAL},
    {NULL, "mjCONE_ELLIPTIC", mjCONE_ELLIPTIC},
    {NULL, "mjINT_EULER", mjINT_EULER},
    {NULL, "mjINT_RK4", mjINT_RK4},
    {NULL, "mjINT_IMPLICIT", mjINT_IMPLICIT},
    {NULL, "mjINT_IMPLICITFAST", mjINT_IMPLICITFAST},
    {NULL, "mjJAC_AUTO", mjJAC_AUTO},
    {NULL, "mjJAC_DENSE", mjJAC_DENSE},
    {NULL, "mjJAC_SPARSE", mjJAC_SPARSE},
    {NULL, "mjSOL_NEWTON", mjSOL_NEWTON},
    {NULL, "mjSOL_CG", mjSOL_CG},
    {NULL, "mjSOL_PGS", mjSOL_PGS},
    {"joints", "free", mjJNT_FREE},
    {"joints", "ball", mjJNT_BALL},
    {"joints", "slide", mjJNT_SLIDE},
    {"joints", "hinge", mjJNT_HINGE},
    {"geoms", "plane", mjGEOM_PLANE},
    {"geoms", "hfield", mjGEOM_HFIELD},
    {"geoms", "sphere", mjGEOM_SPHERE},
    {"geoms", "capsule", mjGEOM_CAPSULE},
    {"geoms", "ellipsoid", mjGEOM_ELLIPSOID},
    {"geoms", "cylinder", mjGEOM_CYLINDER},
    {"geoms", "box", mjGEOM_BOX},
    {"geoms", "mesh", mjGEOM_MESH},
    {"sites", "sphere", mjGEOM_SPHERE},
    {"sites", "capsule", mjGEOM_CAPSULE},
    {"sites", "ellipsoid", mjGEOM_ELLIPSOID},
    {"sites", "cylinder", mjGEOM_CYLINDER},
    {"sites", "box", mjGEOM_BOX},
    {NULL, "fixed", mjCAMLIGHT_FIXED},
    {NULL, "track", mjCAMLIGHT_TRACK},
    {NULL, "trackcom", mjCAMLIGHT_TRACKCOM},
    {NULL, "targetbody", mjCAMLIGHT_TARGETBODY},
    {NULL, "targetbodycom", mjCAMLIGHT_TARGETBODYCOM},
    {"lights", "spot", mjLIGHT_SPOT},
    {"lights", "directional", mjLIGHT_DIRECTIONAL},
    {"lights", "point", mjLIGHT_POINT},
    {"lights", "image", mjLIGHT_IMAGE},
    {"textures", "2d", mjTEXTURE_2D},
    {"textures", "cube", mjTEXTURE_CUBE},
    {"textures", "skybox", mjTEXTURE_SKYBOX},
    {"actuators", "none", 0},
    {"actuators", "fixed", mjGAIN_FIXED},
    {"actuators", "affine", mjGAIN_AFFINE},
    {"actuators", "integrator", mjDYN_INTEGRATOR},
    {"actuators", "filter", mjDYN_FILTER},
    {"actuators", "filterexact", mjDYN_FILTEREXACT},
    {"actuators", "joint", mjTRN_JOINT},
    {"actuators", "jointinparent", mjTRN_JOINTINPARENT},
    {"actuators", "tendon", mjTRN_TENDON},
    {"actuators", "site", mjTRN_SITE},
    {"actuators", "body", mjTRN_BODY},
    {"sensors", "touch", mjSENS_TOUCH},
    {"sensors", "accelerometer", mjSENS_ACCELEROMETER},
    {"sensors", "velocimeter", mjSENS_VELOCIMETER},
    {"sensors", "gyro", mjSENS_GYRO},
    {"sensors", "force", mjSENS_FORCE},
    {"sensors", "torque", mjSENS_TORQUE},
    {"sensors", "rangefinder", mjSENS_RANGEFINDER},
    {"sensors", "jointpos", mjSENS_JOINTPOS},
    {"sensors", "jointvel", mjSENS_JOINTVEL},
    {"sensors", "framepos", mjSENS_FRAMEPOS},
    {"sensors", "framexaxis", mjSENS_FRAMEXAXIS},
    {"sensors", "frameyaxis", mjSENS_FRAMEYAXIS},
    {"sensors", "framezaxis", mjSENS_FRAMEZAXIS},
    {"sensors", "subtreecom", mjSENS_SUBTREECOM},
    {"sensors", "subtreelinvel", mjSENS_SUBTREELINVEL},
    {"sensors", "real", mjDATATYPE_REAL},
    {"sensors", "positive", mjDATATYPE_POSITIVE},
    {"sensors", "axis", mjDATATYPE_AXIS},
    {"sensors", "quaternion", mjDATATYPE_QUATERNION},
    {"sensors", "pos", mjSTAGE_POS},
    {"sensors", "vel", mjSTAGE_VEL},
    {"sensors", "acc", mjSTAGE_ACC},
    {"sensors", "unknown", mjOBJ_UNKNOWN},
    {"sensors", "body", mjOBJ_BODY},
    {"sensors", "xbody", mjOBJ_XBODY},
    {"sensors", "joint", mjOBJ_JOINT},
    {"sensors", "geom", mjOBJ_GEOM},
    {"sensors", "site", mjOBJ_SITE},
    {"wraps", "joint", mjWRAP_JOINT},
    {"wraps", "site", mjWRAP_SITE},
    {"equalities", "tendon", mjEQ_TENDON},
    {"equalities", "joint", mjEQ_JOINT},
    {"equalities", "connect", mjEQ_CONNECT},
    {"equalities", "weld", mjEQ_WELD},
};

struct facts {
    const char *path; // of the case, for messages
    const mjModel *model;
    const char *list; // where we are
    int checked;
};

static double fact_number(const struct facts *facts, const char *key, const json_t *fact) {
    if (json_is_boolean(fact)) return json_is_true(fact);
    if (json_is_number(fact)) return json_number_value(fact);
    const char *word = json_string_value(fact);
    for (size_t i = 0; word && i < sizeof words / sizeof *words; i++) {
        bool here = !words[i].list || !strcmp(words[i].list, facts->list);
        if (here && !strcmp(words[i].word, word)) return words[i].value;
    }
    fail_msg("%s %s %s: no meaning for '%s'", facts->path, facts->list, key, word ? word : "?");
    return 0;
}

static double model_number(const struct field *field, const void *base, long index) {
    switch (field->kind) {
    case KIND_DOUBLE: return ((const double *)base)[index];
    case KIND_FLOAT: return ((const float *)base)[index];
    case KIND_INT: return ((const int *)base)[index];
    case KIND_LONG: return (double)((const mjtSize *)base)[index];
    case KIND_BYTE: return ((const mjtByte *)base)[index];
    case KIND_BOOL: return ((const mjtBool *)base)[index];
    }
    return NAN;
}

static void check_number(struct facts *facts, const char *name, const char *key, double value,
                         double want, bool single) {
    double allowed = (single ? 1e-6 : 1e-9) * fmax(fabs(want), single ? 1 : 1e-3);
    if (!(fabs(value - want) <= allowed)) {
        fail_msg("%s %s '%s' %s: %.12g, expected %.12g", facts->path, facts->list, name, key, value,
                 want);
    }
    facts->checked++;
}

static void check_field(struct facts *facts, const struct field *field, const char *name, int id,
                        const json_t *fact) {
    const char *at = (const char *)facts->model + field->offset;
    const void *base = field->embedded ? (const void *)at : *(void *const *)(const void *)at;
    int count = json_is_array(fact) ? (int)json_array_size(fact) : 1;
    if (!field->embedded) assert_int_equal(count, field->width);
    for (int i = 0; i < count; i++) {
        const json_t *one = json_is_array(fact) ? json_array_get(fact, (size_t)i) : fact;
        double value = model_number(field, base, (long)id * field->width + i);
        check_number(facts, name, field->key, value, fact_number(facts, field->key, one),
                     field->kind == KIND_FLOAT);
    }
}

// Every fact of object, but for those that say which element it is.
static void check_object(struct facts *facts, const struct field *fields, const char *name, int id,
                         json_t *object) {
    const char *key;
    json_t *fact;
    json_object_foreach(object, key, fact) {
        if (!strcmp(key, "id") || !strcmp(key, "name")) continue;
        const struct field *field = fields;
        while (field->key && strcmp(field->key, key)) field++;
        if (!field->key)
            fail_msg("%s %s '%s': unknown fact '%s'", facts->path, facts->list, name, key);
        check_field(facts, field, name, id, fact);
    }
}

static void check_list(struct facts *facts, const struct list *list, const json_t *objects) {
    mjtSize count =
        *(const mjtSize *)(const void *)((const char *)facts->model + list->count_offset);
    assert_int_equal(json_array_size(objects), count);
    for (size_t i = 0; i < json_array_size(objects); i++) {
        json_t *object = json_array_get(objects, i);
        const char *name = json_string_value(json_object_get(object, "name"));
        int id = (int)json_integer_value(json_object_get(object, "id"));
        if (name && *name && list->type != mjOBJ_UNKNOWN)
            id = mj_name2id(facts->model, list->type, name);
        if (id < 0) fail_msg("%s %s: no '%s'", facts->path, list->key, name ? name : "");
        check_object(facts, list->fields, name ? name : "", id, object);
    }
}

static void check_textures(struct facts *facts, const json_t *textures) {
    const mjModel *model = facts->model;
    for (size_t i = 0; i < json_array_size(textures); i++) {
        const json_t *fact = json_array_get(textures, i),
                     *first = json_object_get(fact, "first_pixel");
        int id = (int)json_integer_value(json_object_get(fact, "id"));
        mjtSize count =
            (mjtSize)model->tex_nchannel[id] * model->tex_height[id] * model->tex_width[id];
        const mjtByte *data = model->tex_data + model->tex_adr[id];
        double sum = 0;
        for (mjtSize k = 0; k < count; k++) sum += data[k];
        check_number(facts, "", "bytes", (double)count,
                     json_number_value(json_object_get(fact, "bytes")), false);
        check_number(facts, "", "mean", sum / (double)count,
                     json_number_value(json_object_get(fact, "mean")), false);
        for (size_t k = 0; k < json_array_size(first); k++) {
            check_number(facts, "", "pixel", data[k], json_number_value(json_array_get(first, k)),
                         false);
        }
    }
}

static void check_visual(struct facts *facts, json_t *visual) {
    static const struct {
        const char *key;
        const struct field *fields;
    } parts[] = {
        {"global_", visual_global_fields}, {"headlight", visual_headlight_fields},
        {"map", visual_map_fields},        {"quality", visual_quality_fields},
        {"rgba", visual_rgba_fields},      {"scale", visual_scale_fields},
    };
    assert_int_equal(json_object_size(visual), sizeof parts / sizeof *parts);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        check_object(facts, parts[i].fields, parts[i].key, 0,
                     json_object_get(visual, parts[i].key));
    }
}

static void check_numbers(struct facts *facts, const char *key, const double *values, mjtSize count,
                          const json_t *want) {
    assert_int_equal(json_array_size(want), count);
    for (mjtSize i = 0; i < count; i++) {
        check_number(facts, key, "", values[i], json_number_value(json_array_get(want, (size_t)i)),
                     false);
    }
}

// Every section of a variant; returns how many numbers were compared.
static int check_facts(const char *path, const mjModel *model, json_t *variant) {
    struct facts facts = {.path = path, .model = model};
    const char *section;
    json_t *value;
    json_object_foreach(variant, section, value) {
        facts.list = section;
        const struct list *list = NULL;
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
            if (!strcmp(lists[i].key, section)) list = &lists[i];
        }
        if (list)
            check_list(&facts, list, value);
        else if (!strcmp(section, "sizes"))
            check_object(&facts, size_fields, "", 0, value);
        else if (!strcmp(section, "option"))
            check_object(&facts, option_fields, "", 0, value);
        else if (!strcmp(section, "statistic"))
            check_object(&facts, statistic_fields, "", 0, value);
        else if (!strcmp(section, "visual"))
            check_visual(&facts, value);
        else if (!strcmp(section, "texture_data"))
            check_textures(&facts, value);
        else if (!strcmp(section, "qpos0"))
            check_numbers(&facts, section, model->qpos0, model->nq, value);
        else if (!strcmp(section, "qpos_spring"))
            check_numbers(&facts, section, model->qpos_spring, model->nq, value);
        else if (!strcmp(section, "total_mass"))
            check_number(&facts, "", section, mj_getTotalmass(model), json_number_value(value),
                         false);
        else if (strcmp(section, "looks_in_xml") &&
                 strcmp(section, "xml_settings")) // of the source text
            fail_msg("%s: unknown section '%s'", path, section);
    }
    return facts.checked;
}
