# Environment plug-ins: the example of docs/ and one of another ABI version, as modules beside their model.
set(PLUGIN_DIR ${CMAKE_CURRENT_BINARY_DIR}/plugin)
add_library(lift_plugin MODULE ${CMAKE_SOURCE_DIR}/docs/plugin/lift.c)
add_library(old_abi_plugin MODULE data/plugin/old_abi.c)
foreach(plugin lift_plugin old_abi_plugin)
    target_include_directories(${plugin} PRIVATE ${CMAKE_SOURCE_DIR}/include)
    target_include_directories(${plugin} SYSTEM PRIVATE ${MUJOCO_INCLUDE})
    set_target_properties(${plugin} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${PLUGIN_DIR})
endforeach()
configure_file(${CMAKE_SOURCE_DIR}/docs/plugin/lift.xml ${PLUGIN_DIR}/lift.xml COPYONLY)
add_dependencies(test_custom_env lift_plugin old_abi_plugin)
target_compile_definitions(test_custom_env PRIVATE LIFT_PLUGIN="$<TARGET_FILE:lift_plugin>"
                           OLD_ABI_PLUGIN="$<TARGET_FILE:old_abi_plugin>")
add_test(NAME plugin_trains COMMAND sh -c "rm -rf plugin_run && \"$0\" sac --env \"$1\" --encoder state --steps 800 \
--sac.random_steps 300 --run-dir plugin_run" $<TARGET_FILE:rlrun> $<TARGET_FILE:lift_plugin>
         WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
set_tests_properties(plugin_trains PROPERTIES LABELS slow ENVIRONMENT "RLRUN_DATA=${CMAKE_SOURCE_DIR}")
